# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Parts that keep a server within limits, each alone."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator

import pytest

from mereq_lab.live import InnerListener, parse_message
from mereq_lab.live.connections import MOST_WAITING, MOST_WAITING_PER_ADDRESS, Connections, group_of
from mereq_lab.live.descriptors import PatientFiles, SpareDescriptors, num_open
from mereq_lab.live.quiet_log import EVERY_S, QuietLog
from mereq_lab.plain_text import plain


@pytest.fixture
def visit() -> Iterator[Callable[..., socket.socket]]:
    """Makes a connection, and adds it."""
    ends: list[socket.socket] = []

    def visit(connections: Connections, address: str) -> socket.socket:
        here, there = socket.socketpair()
        ends.extend((here, there))
        connections.add(here, address)
        return here

    yield visit
    for end in ends:
        end.close()


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True


def test_who_only_waits_makes_room_for_who_comes(visit):
    connections = Connections(1_000)
    ours = visit(connections, "192.0.2.1")
    assert connections.admit(ours.fileno())
    other = visit(connections, "192.0.2.2")
    flood = [visit(connections, "192.0.2.66") for _ in range(MOST_WAITING_PER_ADDRESS + 3)]
    assert [is_open(each) for each in flood] == [False] * 3 + [True] * MOST_WAITING_PER_ADDRESS
    assert is_open(ours) and is_open(other)
    many = [visit(connections, f"192.0.2.{100 + number}") for number in range(MOST_WAITING)]
    assert is_open(ours) and is_open(many[-1]) and not is_open(flood[-1]), "of the address with most the oldest"
    assert len(connections) == MOST_WAITING + 1
    assert not connections.admit(flood[-1].fileno())


def test_those_with_the_token_are_limited_too(visit):
    connections = Connections(40)  # 10 that wait, and 10 that are admitted
    visits = [visit(connections, f"192.0.2.{number}") for number in range(10)]
    assert all(connections.admit(each.fileno()) for each in visits)
    late = visit(connections, "192.0.2.99")
    assert not connections.admit(late.fileno())
    visits[3].close()
    assert connections.admit(late.fileno())


def test_what_counts_as_one_address():
    assert group_of("127.0.0.1") == group_of("127.9.8.7") == group_of("::1")
    assert group_of("192.0.2.1") != group_of("192.0.2.2")
    assert group_of("2001:db8::1") == group_of("2001:db8::ffff:2") != group_of("2001:db8:0:1::1")
    assert group_of("fe80::1%eth0") == group_of("fe80::2%eth0")


def test_a_log_says_a_thing_once_and_how_often_it_was_meant(capsys):
    now = [0.0]
    log = QuietLog("live", lambda: now[0])
    logger = log.logger()
    for _ in range(1_000):
        log.say("full")
        logger.error("a %s failed", "\x1b[31mname", exc_info=ValueError("\x1b[31m what a visitor sent"))
        logger.log(logging.INFO, "nothing")
    now[0] = EVERY_S
    log.say("full")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "live: full",
        "live: a %s failed (ValueError)",
        "live: full (999 times more since it was last said)",
    ]


def test_an_inner_listener_is_a_listening_socket():
    listener = InnerListener()
    before = num_open()
    with pytest.raises(BlockingIOError):
        listener.accept()
    clients = [listener.open_connection() for _ in range(600)] if num_open() < 200 else [listener.open_connection()]
    for number, client in enumerate(clients):
        client.send(str(number).encode())
    for number in range(len(clients)):
        connection, _ = listener.accept()
        assert connection.recv(10) == str(number).encode()
        connection.close()
    with pytest.raises(BlockingIOError):
        listener.recv(1)
    for client in clients:
        client.close()
    assert num_open() == before
    listener.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
@pytest.mark.parametrize("wrapped", [False, True])
def test_only_what_lacks_descriptors_is_tried_again(monkeypatch, number: int, wrapped: bool):
    monkeypatch.setattr("mereq_lab.live.descriptors.RETRY_S", 0.0)
    tries = []

    def work() -> str:
        tries.append(1)
        if len(tries) < 5:
            try:
                raise OSError(number, os.strerror(number))
            except OSError as error:
                if wrapped:
                    raise ValueError("a damaged recording") from error
                raise
        return "done"

    files = PatientFiles(QuietLog())
    assert files.run(work) == "done" and len(tries) == 5

    def full() -> None:
        tries.append(1)
        raise OSError(errno.ENOSPC, "disk full")

    tries.clear()
    with pytest.raises(OSError, match="disk full"):
        files.run(full)
    assert len(tries) == 1


def test_spare_descriptors_are_given_up_and_taken_back():
    before = num_open()
    spare = SpareDescriptors(3)
    assert num_open() == before + 3
    with spare.released():
        assert num_open() == before
    assert num_open() == before + 3
    spare.close()
    assert num_open() == before


@pytest.mark.parametrize("name", ["[/b]", "[red]x", "<b>x</b>", "\x1b[31mAda\x07", "Ada\n\rBob", "\u202eadA", "\ud800"])
def test_a_name_is_text_wherever_it_goes(name: str):
    message = json.dumps({"type": "hello", "person": f"Ada {name}", "key": "k"})
    person = parse_message(message).person  # type: ignore[union-attr]
    assert person.isprintable() and person.startswith("Ada")
    assert plain(name).isprintable()
