# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A whole round with a person at the page, on the real simulator: watched, corrected, learned from, exported."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.exceptions import ConnectionClosed

from mereq_algo.recording import find_recordings, read_episodes

from ..mereq_lab.live_stand import Client
from .conftest import OPTIONS, TINY, command, run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]

FLOOD = Path(__file__).parents[1] / "mereq_algo" / "flood.py"

START_MS = 240_000
"""Until a simulator is there, on a slow machine with nothing in its caches."""


class Program:
    """A script that runs, and what it has printed."""

    def __init__(self, folder: Path, script: str, *arguments: str) -> None:
        self.output = folder / "output.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(command(script, *arguments), stdout=output, stderr=subprocess.STDOUT)

    def url(self) -> str:
        end = time.monotonic() + START_MS / 1e3
        while (found := re.search(r"supervise at: (\S+)", self.output.read_text())) is None:
            assert self.process.poll() is None and time.monotonic() < end, self.output.read_text()
            time.sleep(0.2)
        return found.group(1)

    def end(self, seconds: float = 300.0) -> str:
        """Wait for its end, and return what it printed."""
        self.process.wait(seconds)
        return self.output.read_text()


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Program]]:
    """Starts a script; whatever becomes of the test, it does not outlive it."""
    programs: list[Program] = []

    def start(script: str, *arguments: str) -> Program:
        programs.append(Program(tmp_path, script, *arguments))
        return programs[-1]

    yield start
    for program in programs:
        if program.process.poll() is None:
            program.process.terminate()
            program.process.wait(60.0)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_context(viewport={"width": 900, "height": 600}).new_page()
    page.set_default_timeout(60_000)
    yield page
    page.context.close()


@pytest.mark.realtime
def test_a_round_with_a_person_at_the_page(tmp_path, start, page):
    logs = ["--logs", str(tmp_path), "--port", "0", "--no-video", "agent.max_supervised=4"]
    program = start("train_mereq.py", "--person", "browser", *OPTIONS, *logs, *TINY)
    url = program.url()
    page.goto(f"{url}?picture=coarse")
    view = page.frame_locator("#view")
    expect(view.locator("canvas").first).to_be_visible(timeout=120_000)
    expect(view.get_by_text("robot", exact=True)).to_be_visible(timeout=120_000)  # the view's own server told its name
    root = re.escape(urljoin(url, "/"))
    assert re.match(rf"{root}view/0/\w+/\d+/\?fixedDpr=0.4", page.frames[1].url), "through the page's own door"
    # A browser without a GPU takes seconds for a picture, and is not heard meanwhile.
    page.locator("#picture").evaluate("choice => { choice.value = 'none'; choice.onchange(); }")
    page.locator("#person").fill("Ada")
    page.keyboard.press("Enter")
    in_control = expect(page.locator("#banner"))
    for _ in range(4):  # an episode of 30 steps each
        in_control.to_have_text("the robot is in control", timeout=60_000)
        page.keyboard.down("Space")
        page.keyboard.down("q")
        in_control.to_have_text("YOU are in control")
        page.wait_for_timeout(600)
        page.keyboard.up("q")
        page.keyboard.up("Space")
        in_control.to_have_text("how was it? 1, 2, ⌫", timeout=60_000)
        page.keyboard.press("1")
    page.get_by_role("button", name="finish and export").click()
    output = program.end()
    assert program.process.returncode == 0, output

    (folder,) = (tmp_path / "Franka-Erase").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    episodes = [read_episodes(file)[0] for file in find_recordings([folder / "recordings"])]
    learned_from = [episode for episode in episodes if not episode.info.discarded]
    assert summary["status"] == "stopped" and summary["rounds"] == 1 and summary["theta"]
    assert learned_from and {episode.info.person for episode in episodes} == {"Ada"}
    assert summary["expert_samples"] == [sum(episode.expert_samples for episode in learned_from)]
    assert all(episode.info.versions["isaaclab"] for episode in episodes)
    assert any(episode.info.marked_by == "person" and episode.info.success for episode in learned_from)
    assert (folder / "export" / "contract.json").is_file()
    assert "supervise at: http://127.0.0.1:" in output


def test_finish_and_export_without_an_export_is_no_success(tmp_path, start):
    """The button of the page, where something else than an export lies in the export's place."""
    logs = ["--logs", str(tmp_path), "--port", "0", "--no-video"]
    program = start("train_mereq.py", "--person", "browser", *OPTIONS, *logs, *TINY)
    client = Client(program.url())
    (folder,) = (tmp_path / "Franka-Erase").iterdir()
    (folder / "export").mkdir()
    (folder / "export" / "notes.txt").touch()
    while len(list((folder / "recordings").rglob("*.hdf5"))) < 2:
        client.hold(0.2)
    client.say(type="press", button="finish")
    output = program.end()
    assert program.process.returncode == 2, output
    assert f"output holds something else than an export: {folder / 'export'}" in "".join(output.split("\n"))
    assert "report: " in output and "its export failed as said above" in output and "Traceback" not in output
    assert (folder / "report.html").is_file()


@pytest.mark.realtime
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_whatever_ends_it_keeps_what_was_watched(tmp_path, start, sent, status):
    recordings = tmp_path / "recordings"
    options = ["--port", "0", "--recordings", str(recordings), "env.episode_length_s=1"]
    program = start("supervise.py", *options)
    client = Client(program.url())
    while len(list(recordings.rglob("*.hdf5"))) < 2:
        client.hold(0.2)
    program.process.send_signal(sent)
    program.end(60.0)
    assert program.process.returncode == status
    for file in find_recordings([recordings]):
        (episode,) = read_episodes(file)
        assert episode.info.person == "Ada" and episode.expert_samples == len(episode)
        assert len(episode) == 20 or episode.info.discarded, "the one that was cut does not count"


@pytest.mark.realtime
def test_a_flood_of_half_open_connections_costs_no_episode(tmp_path, start):
    """From another process, where the program may open few files; names of folders are text."""
    recordings = tmp_path / "[/b] \x1b[31m"
    options = ["--port", "0", "--recordings", str(recordings), "--episodes", "4", "env.episode_length_s=1"]
    program = start("supervise.py", *options)
    resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (200, 200))
    url = program.url()
    client = Client(url)
    client.hold(0.2)
    flood = [sys.executable, str(FLOOD), str(urlsplit(url).port), "3000", "4"]
    with subprocess.Popen(flood) as process:
        while process.poll() is None:
            client.hold(0.2)
    while program.process.poll() is None:
        try:
            client.hold(0.2)
        except ConnectionClosed:
            break
    output = program.end(60.0)
    assert program.process.returncode == 0, output
    assert "4 episodes, " in output and "[/b]" in output and "Traceback" not in output and "\x1b[31m" not in output
    assert output.count("\n") <= 6, output
    episodes = [read_episodes(file)[0] for file in find_recordings([recordings])]
    assert sum(not episode.info.discarded for episode in episodes) == 4


def steer_until(client: Client, phase: str) -> None:
    """Hold the robot, as a page does, until it is told of a phase."""
    while client.state.get("phase") != phase:
        with contextlib.suppress(ConnectionClosed):
            client.control()
        with contextlib.suppress(TimeoutError):
            message = json.loads(client.socket.recv(timeout=0.03))
            client.state = message if message["type"] == "state" else client.state


@pytest.mark.parametrize("small_disk", [10], indirect=True)
@pytest.mark.parametrize("script", ["supervise.py", "train_mereq.py"])
def test_a_full_disk_is_told_on_the_page_and_in_one_line(tmp_path, start, small_disk, script):
    """The disk fills up, as others' files do it, while somebody steers."""
    options = ["--port", "0", "env.episode_length_s=1"]
    if script == "supervise.py":
        options += ["--recordings", str(small_disk / "recordings")]
    else:
        options += ["--person", "browser", *OPTIONS, "--logs", str(small_disk), *TINY[:-1]]
    program = start(script, *options)
    client = Client(program.url())
    steer_until(client, "supervising")  # the policy to watch has been written
    with contextlib.suppress(OSError), (small_disk / "other").open("wb", buffering=0) as other:
        while True:
            other.write(bytes(4096))
    steer_until(client, "failed")
    assert client.state["problem"] == (
        "The recording of the last episode could not be written: the disk is full."
        " The session ends; earlier episodes are kept."
    )
    output = program.end(60.0)
    assert program.process.returncode == 2, output
    (line,) = (line for line in output.splitlines() if line.startswith("error: "))
    assert line.startswith(f"error: the disk is full: {small_disk}") and line.endswith(".hdf5 is not written")
    assert "Traceback" not in output


def test_a_damaged_recording_of_a_round_is_named_and_can_be_skipped(tmp_path, start):
    """What a kill of the machine can leave of the round in which it happened."""
    options = ["--person", "browser", "--port", "0", *OPTIONS, "--logs", str(tmp_path / "logs"), *TINY]
    program = start("train_mereq.py", *options)
    program.url()
    program.process.terminate()
    program.end(60.0)
    (folder,) = (tmp_path / "logs" / "Franka-Erase").iterdir()
    damaged = folder / "recordings" / "round_01" / "episode_001.hdf5"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no")
    resumed = ["--resume", str(folder), "--port", "0"]
    output = (program := start("train_mereq.py", *resumed)).end(START_MS / 1e3)
    (line,) = (line for line in output.splitlines() if line.startswith("error: "))
    assert line.startswith(f"error: recording is damaged: {damaged}") and "--skip-damaged goes on" in line
    assert program.process.returncode == 2
    program = start("train_mereq.py", *resumed, "--skip-damaged")
    steer_until(Client(program.url()), "supervising")
    assert f"left out: recording is damaged: {damaged}" in program.output.read_text()
    assert damaged.read_bytes() == b"no"


def test_what_cannot_be_is_said_in_a_line():
    for arguments, words in (
        (("--port", "99999"), "port is 99999"),
        (("--num_supervised", "0"), "num_supervised is 0"),
        (("--person", "browser", "--from-recordings", "tests"), "no recordings"),
        (("--person", "browser", "--skip-damaged"), "--skip-damaged has nothing to skip here"),
    ):
        result = run_script("train_mereq.py", *arguments)
        assert result.returncode == 2 and words in result.stderr, result.stderr
    result = run_script("supervise.py", "--episodes", "0")
    assert result.returncode == 2 and "episodes is 0" in result.stderr


def test_two_do_not_record_into_one_folder(refusal, tmp_path):
    from mereq_algo.records.run_lock import locked

    recordings = tmp_path / "recordings"
    recordings.mkdir()
    with locked(recordings, "supervise.py"):
        line = refusal("supervise.py", "--task", "Franka-Erase", "--recordings", recordings)
    assert "folder of recordings is in use by process" in line and str(recordings) in line
    (recordings / "episode_001.hdf5").touch()
    line = refusal("supervise.py", "--task", "Franka-Erase", "--recordings", recordings)
    assert "there are recordings in" in line
    line = refusal("supervise.py", "--task", "Franka-Erase", "--recordings", tmp_path / "new", "--device", "tpu")
    assert "unknown device" in line and not (tmp_path / "new").exists()


def test_a_learner_that_is_killed_leaves_its_folder_to_the_people_who_still_watch(tmp_path, start):
    """The process in which they watch is stopped, so that it has not ended when the folder is looked at."""
    import psutil

    from mereq_algo.records import RunFolder, RunInUseError

    program = start("train_mereq.py", *OPTIONS, *TINY, "--person", "browser", "--port", "0", "--logs", str(tmp_path))
    program.url()
    (watched,) = psutil.Process(program.process.pid).children()
    (folder,) = (tmp_path / "Franka-Erase").iterdir()
    watched.suspend()
    program.process.kill()
    program.process.wait()
    with pytest.raises(RunInUseError, match="has left running"), RunFolder(folder).lock("me"):
        pass
    watched.resume()
    end = time.monotonic() + 60.0
    while True:
        try:
            with RunFolder(folder).lock("me"):
                break
        except RunInUseError:
            assert time.monotonic() < end
            time.sleep(0.2)
