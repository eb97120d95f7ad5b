# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

import os
import pty
import threading
import time

import pytest

from mereq_deploy.runtime.keys import HeldKey, Keys


def test_a_key_is_held_while_the_terminal_repeats_it():
    key = HeldKey()
    assert not key.is_held(0.0)
    key.press(1.0)
    assert key.is_held(1.7) and not key.is_held(1.9)  # the first sign is followed by a pause
    key.press(1.7)
    assert key.is_held(1.8) and not key.is_held(1.85)


@pytest.fixture
def terminal():
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def hold(descriptor: int, seconds: float) -> float:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        os.write(descriptor, b" ")
        time.sleep(0.03)
    return time.monotonic()


def test_letting_the_dead_man_key_go_stops(terminal):
    ours, theirs = terminal
    reasons, stopped = [], threading.Event()

    def stop(reason: str) -> None:
        reasons.append((reason, time.monotonic()))
        stopped.set()

    with Keys(stop, needs_hold=True, descriptor=theirs) as keys:
        time.sleep(0.2)
        assert not reasons  # nothing is held yet, and nothing moves
        threading.Thread(target=hold, args=(ours, 0.1)).start()
        keys.wait_for_hold()
        let_go = hold(ours, 1.0)
        assert not reasons
        assert stopped.wait(2.0)
    assert reasons[0][0] == "the dead-man key was let go"
    assert reasons[0][1] - let_go < 0.3


@pytest.mark.parametrize("needs_hold", [False, True])
def test_any_other_key_stops_once(terminal, needs_hold):
    ours, theirs = terminal
    reasons: list[str] = []
    with Keys(reasons.append, needs_hold, descriptor=theirs):
        os.write(ours, b"qq")
        time.sleep(0.3)
    assert reasons == ["a key was pressed"]


def test_a_terminal_that_goes_away_stops():
    ours, theirs = pty.openpty()
    reasons: list[str] = []
    with Keys(reasons.append, needs_hold=True, descriptor=theirs):
        os.close(ours)
        time.sleep(0.3)
    os.close(theirs)
    assert len(reasons) == 1 and "the terminal is gone" in reasons[0]


def test_another_key_ends_the_wait_for_the_dead_man_key(terminal):
    ours, theirs = terminal
    reasons: list[str] = []
    with Keys(reasons.append, needs_hold=True, descriptor=theirs) as keys:
        os.write(ours, b"q")
        keys.wait_for_hold()
    assert reasons == ["a key was pressed"]
