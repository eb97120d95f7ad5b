# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A machine that opens connections without end, and other ways to use up descriptors: nothing driven is lost."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
import viser
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from mereq_algo.recording import gather
from mereq_lab.live import InnerListener, tab
from mereq_lab.live.connections import MOST_ADMITTED_PER_ADDRESS
from mereq_lab.live.tab import MOST_VIEWS
from mereq_tasks.view.served_at import served_at

from .live_stand import Client, Stand

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]

PROGRAM = """
import os, resource, sys, threading, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.mereq_lab.live_stand import Stand

stand = Stand(Path(sys.argv[2]), max_episode_length=20, serve=False)
limit = len(os.listdir("/proc/self/fd")) + 90
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
stand.server.start()
print(stand.server.url, flush=True)
stand.begin(episodes=int(sys.argv[3]))

def use_up(number):
    held = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return held

for line in sys.stdin:
    if line == "use up\\n":
        held = use_up(0)
        print("used up", flush=True)
    elif line == "leave none\\n":
        spare = stand.session.patient._spare
        spare.close()
        spare._number = 0
        held += use_up(0)
        print("none left", flush=True)
    elif line == "free\\n":
        while held:
            os.close(held.pop())
        print("free", flush=True)
    elif line == "end\\n":
        kept = stand.end(60.0)
        print(len(kept), flush=True)
        break
stand.close()
"""


class Program:
    """A page and its robot in a process of their own that may open few files."""

    def __init__(self, folder: Path, episodes: int) -> None:
        self.folder, self.log = folder / "recordings", folder / "stderr"
        command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parents[2]), str(self.folder), str(episodes)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.url = self.hear()

    def hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, self.log.read_text()
        return line

    def say(self, text: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()
        return self.hear()

    def num_episodes(self) -> int:
        """Counts files: a person who drives meanwhile must not wait for one to be read."""
        return len(list(self.folder.rglob("[!.]*.hdf5")))

    def num_kept(self) -> int:
        return sum(not episode.info.discarded for _, episode in gather([self.folder]).episodes)


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[[int], Program]]:
    programs: list[Program] = []

    def start(episodes: int) -> Program:
        programs.append(Program(tmp_path, episodes))
        return programs[-1]

    yield start
    for program in programs:
        program.process.kill()
        program.process.communicate()


def drive(client: Client, holds: Callable[[], object], seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        client.hold(0.1, axes=(-1.0, 0.0, 0.0, 0.0))


def test_half_open_connections_neither_end_a_session_nor_lose_an_episode(start):
    program = start(5)
    port = str(urlsplit(program.url).port)
    client = Client(program.url)
    drive(client, lambda: program.num_episodes() == 1)
    command = [sys.executable, str(Path(__file__).with_name("flood.py")), port, "5000", "6"]
    floods = [subprocess.Popen(command) for _ in range(2)]
    drive(client, lambda: program.num_episodes() >= 3)
    assert all(flood.poll() is None for flood in floods), "it was over too soon to say anything"
    with urlopen(program.url, timeout=20.0) as answer:  # another person comes in meanwhile
        assert answer.status == 200
    other = Client(program.url, "Bob", robot=None)
    other.say(type="ping", time=1.0)
    other.listen(until=lambda: any(answer["type"] == "pong" for answer in other.answers))
    drive(client, lambda: program.num_episodes() >= 5)
    for flood in floods:
        flood.wait(20.0)
    while program.num_kept() < 5:
        more = program.num_episodes() + 1
        drive(client, lambda more=more: program.num_episodes() >= more)
    assert program.say("end") == "5", "every episode was kept"
    said = program.log.read_text()
    assert "Traceback" not in said and said.count("\n") <= 5, said
    assert urlsplit(program.url).path.strip("/") not in said


def test_an_episode_is_written_from_the_reserve_where_no_descriptor_is_left(start):
    program = start(3)
    client = Client(program.url)
    drive(client, lambda: program.num_episodes() == 1)
    assert program.say("use up") == "used up"
    with socket.create_connection(("127.0.0.1", urlsplit(program.url).port or 0)) as late:
        late.settimeout(20.0)
        assert late.recv(1) == b"", "it is turned away, and not left waiting"
    drive(client, lambda: program.num_episodes() == 3)
    assert program.say("end") == "3"
    said = program.log.read_text()
    assert "Traceback" not in said and said.count("\n") <= 3, said


def test_an_episode_waits_until_there_is_a_descriptor(start):
    program = start(2)
    client = Client(program.url)
    drive(client, lambda: program.num_episodes() == 1)
    assert program.say("use up") == "used up"
    assert program.say("leave none") == "none left"
    drive(client, lambda: "waiting until an episode can be written" in program.log.read_text())
    client.hold(0.5)
    assert program.num_episodes() == 1
    assert program.say("free") == "free"
    drive(client, lambda: program.num_episodes() == 2)
    assert program.say("end") == "2"
    said = program.log.read_text()
    assert "Traceback" not in said and said.count("\n") <= 3, said


def test_a_page_is_refused_in_one_line_where_too_few_files_may_be_open(tmp_path):
    code = PROGRAM.replace("+ 90", "+ 30")
    command = [sys.executable, "-c", code, str(Path(__file__).parents[2]), str(tmp_path), "1"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode != 0
    last = result.stderr.splitlines()[-1]
    assert "PortError" in last and "the limit of open files is" in last and "ulimit -n" in last


@pytest.fixture
def stand(tmp_path) -> Iterator[Stand]:
    stand = Stand(tmp_path / "recordings", max_episode_length=60)
    yield stand
    stand.close()


def test_web_sockets_of_one_address_are_limited(stand):
    """Also where all of them have the token: the person who steers goes on."""
    client = Client(stand.server.url)
    stand.begin(episodes=1)
    address = stand.server.url.replace("http", "ws") + "control"
    held: list[ClientConnection] = []
    with pytest.raises(InvalidStatus, match="503"):
        for _ in range(2 * MOST_ADMITTED_PER_ADDRESS):
            held.append(connect(address, proxy=None))
            client.control()
    assert len(held) == MOST_ADMITTED_PER_ADDRESS - 1
    held.pop().close()
    client.hold(0.3)
    held.append(connect(address, proxy=None))
    assert stand.seats.state(0).control is not None
    for each in held:
        each.socket.shutdown(socket.SHUT_RDWR)  # to say good-bye takes a while where nothing was read
    client.close()


@pytest.mark.parametrize("says", ["nothing", "one word"])
def test_a_web_socket_that_is_not_used_is_closed(stand, monkeypatch, says):
    monkeypatch.setattr("mereq_lab.live.server.FIRST_WORD_S", 0.5)
    monkeypatch.setattr("mereq_lab.live.server.SILENT_S", 1.0)
    assert tab.FIRST_WORD_S < tab.SILENT_S
    client = Client(stand.server.url)
    idle = connect(stand.server.url.replace("http", "ws") + "control", proxy=None)
    if says == "one word":
        idle.send('{"type": "ping", "time": 1}')
    with pytest.raises(ConnectionClosed):
        for _ in range(100):
            client.control()
            with contextlib.suppress(TimeoutError):
                idle.recv(timeout=0.1)
    client.hold(0.2)
    assert stand.seats.state(0).control is not None
    client.close()


def test_connections_of_the_view_are_limited_and_end_with_their_page(tmp_path):
    inner = InnerListener()
    view = served_view(inner)
    stand = Stand(tmp_path / "recordings", views=[inner.open_connection])
    client = Client(stand.server.url)
    (task,) = (answer for answer in client.answers if answer["type"] == "task")
    address = stand.server.url.replace("http", "ws") + f"view/0/{task['view']}/1/"
    protocol = f"viser-v{viser.__version__}"
    open_view = lambda: connect(address, proxy=None, subprotocols=[protocol], max_size=None)  # type: ignore[list-item]  # noqa: E731
    views = [open_view() for _ in range(MOST_VIEWS)]
    client.listen(until=lambda: "0/1" in client.state.get("sees", ()))
    with pytest.raises(InvalidStatus, match="404"):
        open_view()
    client.close()
    for each in views:
        with pytest.raises(ConnectionClosed):
            while True:
                each.recv(timeout=10.0)
    view.stop()
    stand.close()


def served_view(inner: InnerListener) -> viser.ViserServer:
    """A view as a scene serves it, which no other process can reach."""
    with served_at(inner):
        return viser.ViserServer(host="127.0.0.1", port=0, verbose=False)
