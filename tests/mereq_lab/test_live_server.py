# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The page's server against raw sockets: who gets in, what is dropped, and what happens when somebody goes."""

from __future__ import annotations

import json
import socket
import time
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
import torch
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mereq_algo.recording import find_recordings, read_episodes
from mereq_lab.live import LiveServer, Panel, PortError, Seats
from mereq_lab.live.tab import MESSAGES_PER_S, MOST_ANSWERS

from .black_hole import Cable
from .live_stand import PROPOSED, Client, Stand


@pytest.fixture
def stand(tmp_path):
    stand = Stand(tmp_path / "recordings", max_episode_length=60)
    yield stand
    stand.close()


def get(url: str, **headers: str) -> tuple[int, str, dict]:
    try:
        with urlopen(Request(url, headers=headers)) as response:
            return response.status, response.headers["Content-Type"], dict(response.headers)
    except HTTPError as error:
        return error.code, "", dict(error.headers)


def test_the_page_is_served_and_nothing_else(stand):
    url = stand.server.url
    for path, kind in (("", "text/html"), ("live.js", "text/javascript"), ("live.css", "text/css")):
        status, content_type, headers = get(url + path)
        assert status == 200 and content_type.startswith(kind)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    for path in ("nothing", "../control.py", "%2e%2e/control.py", "view/0/", "live.js/x", "control/x"):
        assert get(url + path)[0] == 404, path


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({}, 200),
    ],
)
def test_pages_of_other_sites_stay_out(stand, headers, status):
    assert get(stand.server.url, **headers)[0] == status
    if "Origin" in headers:
        with pytest.raises(InvalidStatus, match="403"):
            connect(stand.server.url.replace("http", "ws") + "control", additional_headers=headers, proxy=None)


def test_a_port_that_is_taken(stand):
    port = urlsplit(stand.server.url).port or 0
    other = LiveServer(Seats(1), Panel(1), {}, port=port)
    with pytest.raises(PortError, match=f"cannot listen at 127.0.0.1:{port}"):
        other.start()


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "\udc80", "192.0.2.7", "2001:db8::7"], ids=ascii)
def test_an_address_that_is_none_or_another_machines(host):
    with pytest.raises(PortError, match="cannot listen at ") as refused:
        LiveServer(Seats(1), Panel(1), {}, host=host, port=0).start()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_name_the_addresses_of_this_machine_are_enough(monkeypatch, capfd, order):
    """``localhost`` is ``::1`` as well where there is no IPv6; only who answers for the name is made up here."""
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::7", 0, 0, 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses[::order])
    server = LiveServer(Seats(1), Panel(1), {}, host="localhost", port=0)
    server.start()
    monkeypatch.undo()
    assert get(server.url.replace("localhost", "127.0.0.1"))[0] == 200
    server.close()
    assert capfd.readouterr().err.count("not listening at") == 2


def test_an_address_of_a_name_that_is_taken_ends_the_start(monkeypatch, stand):
    port = urlsplit(stand.server.url).port
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: here)
    with pytest.raises(PortError, match="Address already in use"):
        LiveServer(Seats(1), Panel(1), {}, host="localhost", port=port).start()


def test_nonsense_is_dropped_and_counted(stand):
    client = Client(stand.server.url)
    for text in (
        "",
        "{",
        "[1]",
        '{"type": "control"}',
        json.dumps({"type": "hello", "person": "x" * 5_000, "key": "k"}),
    ):
        client.socket.send(text)
    client.socket.send(b"\x00\xff")
    client.say(type="ping", time=3.0)
    client.listen(until=lambda: any(answer["type"] == "pong" for answer in client.answers))
    assert stand.server.dropped == {"malformed": 5, "too long": 1}
    client.listen(until=lambda: client.state.get("dropped") == 6)
    client.close()


def test_a_tab_that_asks_and_never_reads_costs_no_memory(stand, monkeypatch):
    monkeypatch.setattr("mereq_lab.live.tab.MESSAGES_PER_S", 1e6)  # buffers fill in seconds, not hours
    address = urlsplit(stand.server.url)
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect((address.hostname, address.port))
    mute = connect(stand.server.url.replace("http", "ws") + "control", sock=narrow, proxy=None)
    (tab,) = stand.server._tabs
    tab.socket.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    end = time.monotonic() + 20.0
    while not tab.answers:  # still, after a rest: nothing goes out any more
        assert time.monotonic() < end
        for _ in range(1_000):
            mute.send('{"type": "ping", "time": 1.0}')
        time.sleep(0.2)
    for _ in range(10 * MOST_ANSWERS):
        mute.send('{"type": "ping", "time": 2.0}')
    client = Client(stand.server.url)
    client.say(type="ping", time=3.0)
    client.listen(until=lambda: any(answer["type"] == "pong" for answer in client.answers))
    assert len(tab.answers) == MOST_ANSWERS and tab.answers[-1] == {"type": "pong", "time": 2.0}
    client.close()
    narrow.close()


@pytest.mark.realtime
def test_a_flood_is_dropped_and_the_others_do_not_notice(stand):
    flood, client = Client(stand.server.url, "Bob", robot=None), Client(stand.server.url)
    stand.begin(episodes=1)
    for _ in range(25):
        for _ in range(100):
            flood.control()
        client.hold(0.03)
    assert stand.server.dropped["too many"] > 2_500 - 3 * MESSAGES_PER_S
    assert stand.person.watch[0].num_late == 0 and stand.person.watch[0].in_control
    flood.socket.send("x" * (2**20 + 1))
    with pytest.raises(ConnectionClosed, match="1009"):  # a message that does not end: the library hangs up
        flood.listen(until=lambda: False)
    client.hold(0.1)
    assert stand.person.watch[0].in_control
    client.close()


def test_half_a_request_hurts_nobody(stand):
    port = urlsplit(stand.server.url).port
    with socket.create_connection(("127.0.0.1", port)) as slow, socket.create_connection(("127.0.0.1", port)) as noise:
        slow.send(b"GET / HT")
        noise.send(b"\x16\x03\x01\x02\x00" * 100)
        assert get(stand.server.url)[0] == 200
        client = Client(stand.server.url)
        assert client.state["robot"] == 0
        client.close()


def test_a_second_person_is_told_and_does_not_steer(stand):
    ada, bob = Client(stand.server.url), Client(stand.server.url, "Bob")
    assert bob.refusals == ["Robot 1 is supervised by Ada."]
    stand.begin(episodes=1)
    for _ in range(10):
        bob.control(axes=(0.0, 1.0, 0.0, 0.0))
        ada.watch(0.03)
    bob.say(type="press", button="finish")
    bob.listen(until=lambda: len(bob.refusals) == 2)
    assert bob.refusals[1] == "Take a robot first." and stand.panel.ending is None
    assert all(actions[0, 1].abs() < 0.05 for _, actions in stand.points.log)
    assert bob.state["seats"] == ["Ada"]
    for client in (ada, bob):
        client.close()


def test_two_tabs_cannot_both_steer(stand):
    first, second = Client(stand.server.url), Client(stand.server.url)
    assert second.refusals == ["You hold robot 1 in another tab."] and second.answers[-1]["elsewhere"]
    second.say(type="seat", robot=0, elsewhere=True)
    second.listen(until=lambda: second.state.get("robot") == 0)
    stand.begin(episodes=1)
    for _ in range(10):
        first.control(axes=(0.0, 1.0, 0.0, 0.0))
        second.watch(0.03)
    assert all(actions[0, 1].abs() < 0.05 for _, actions in stand.points.log)
    for client in (first, second):
        client.close()


def steered(stand: Stand) -> list[float]:
    """When the steps began that the policy would have made otherwise [s]."""
    return [start for start, actions in stand.points.log if abs(float(actions[0, 0]) - PROPOSED) > 0.05]


@pytest.mark.realtime
@pytest.mark.parametrize("how", ["closed", "cut", "silent"])
def test_a_robot_that_is_let_alone_is_back_under_its_policy_within_300_ms(stand, how):
    client = Client(stand.server.url)
    stand.begin(episodes=1)
    client.hold(0.6, axes=(-1.0, 0.0, 0.0, 0.0))
    gone = time.monotonic()
    if how == "closed":
        client.close()
    elif how == "cut":  # as where a cable is drawn: nobody says good-bye
        client.socket.socket.shutdown(socket.SHUT_RDWR)
    time.sleep(0.8)
    assert len(steered(stand)) >= 8
    # A step that began 0.05 s before that is over when the policy has the robot.
    assert steered(stand)[-1] - gone <= 0.25
    assert not stand.person.watch[0].in_control
    assert stand.person.watch[0].is_lost == (how != "silent")


@pytest.mark.realtime
def test_a_drawn_cable_is_a_person_lost_who_can_come_back(stand):
    """No end of the connection is told of it, and bytes that are sent go nowhere."""
    cable = Cable(stand.server.url)
    client = Client(cable.url)
    stand.begin(episodes=2)
    client.hold(0.6, axes=(-1.0, 0.0, 0.0, 0.0))
    cable.is_drawn.set()
    drawn = time.monotonic()
    client.hold(1.4, axes=(-1.0, 0.0, 0.0, 0.0))
    assert steered(stand)[-1] - drawn <= 0.25
    assert stand.person.watch[0].is_lost
    again = Client(stand.server.url)
    assert again.refusals == [] and again.state["robot"] == 0
    before = len(stand.points.log)
    again.hold(0.3, axes=(-1.0, 0.0, 0.0, 0.0))
    assert any(float(actions[0, 0]) < -0.9 for _, actions in stand.points.log[before:])
    while not list(stand.folder.rglob("*.hdf5")):
        again.watch(0.1)
    (episode,) = read_episodes(find_recordings([stand.folder])[0])
    assert episode.info.discarded and "person lost" in episode.info.note
    again.close()
    cable.close()


@pytest.mark.realtime
def test_the_same_person_can_come_back(stand):
    client = Client(stand.server.url)
    stand.begin(episodes=1)
    client.hold(0.3, axes=(-1.0, 0.0, 0.0, 0.0))
    client.close()
    time.sleep(0.4)
    again = Client(stand.server.url)
    assert again.refusals == [] and again.state["robot"] == 0
    before = len(stand.points.log)
    again.hold(0.3, axes=(-1.0, 0.0, 0.0, 0.0))
    assert any(float(actions[0, 0]) < -0.9 for _, actions in stand.points.log[before:])
    again.close()


@pytest.mark.realtime
def test_input_moves_the_robot_within_150_ms(stand):
    """From the message to the step that carries it out; a step's end, 0.05 s later, is when it can be seen."""
    client = Client(stand.server.url)
    stand.begin(episodes=3)
    delays = []
    for _ in range(12):
        client.watch(0.25)
        pressed = time.monotonic()
        client.hold(0.2, axes=(-1.0, 0.0, 0.0, 0.0))
        delays.append(min(start for start in steered(stand) if start > pressed) + 0.05 - pressed)
    assert torch.tensor(delays).median() < 0.1 and max(delays) < 0.15
    client.close()


def test_all_who_look_are_told_why_the_session_ends_before_the_server_closes(stand):
    clients = [Client(stand.server.url, person, robot=None) for person in ("Ada", "Bob", "Cleo", "Dan")]
    for number in range(50):  # it has much else to tell
        stand.panel.show(tick=number)
    stand.panel.fail("The disk is full.")
    stand.server.close()
    for client in clients:
        client.listen(until=lambda client=client: client.state.get("problem") == "The disk is full.")
        assert client.state["phase"] == "failed"
