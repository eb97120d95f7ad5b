# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The dead-man key and the stop key, in the real process on a pseudo-terminal; the test is the guard."""

from __future__ import annotations

import multiprocessing
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mereq_deploy.keyboard.handle import Keyboard, KeyboardError
from mereq_deploy.keyboard.keys import RepeatedKey
from mereq_deploy.keyboard.messages import GuardIs, Held, StopConfirmed, StopKey
from mereq_deploy.keyboard.remote import late_keyboard
from mereq_deploy.simulated.typist import Typist

pytestmark = pytest.mark.realtime


# --- what is held -----------------------------------------------------------------------------------------------------


def test_a_key_is_held_once_the_terminal_repeats_it_and_up_when_it_does_not():
    key = RepeatedKey()
    assert not key.is_held(0.0)
    for now in (1.0, 1.5, 1.53):  # the first sign is followed by a pause
        key.press(now)
        assert not key.is_held(now)
    key.press(1.56)
    assert key.is_held(1.56) and key.is_held(1.67) and not key.is_held(1.69)


def test_a_tap_holds_nothing_and_neither_do_slow_taps():
    key = RepeatedKey()
    for now in (0.0, 0.2, 0.4, 0.6, 0.8):
        key.press(now)
        assert not key.is_held(now + 0.01)


def test_characters_that_come_together_are_one_sign():
    """As when a slow line delivers at once what was typed long ago: a look is a sign, however much it finds."""
    key = RepeatedKey()
    key.press(1.0)
    assert not key.is_held(1.0)


# --- the process ------------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal():
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


class Guarding:
    """What the guard would hear."""

    def __init__(self, keyboard: Keyboard) -> None:
        self.link = keyboard.guard_link
        self.link.send(GuardIs(os.getpid()))
        self.held: list[float] = []
        self.stops: list[tuple[StopKey, float]] = []
        self.is_closed = False

    def listen(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until() and not self.is_closed:
            try:
                said = self.link.recv() if self.link.poll(0.01) else None
            except (EOFError, OSError):
                self.is_closed = True
                return
            if isinstance(said, Held):
                self.held.append(said.time)
            elif isinstance(said, StopKey):
                self.stops.append((said, time.monotonic()))
                self.link.send(StopConfirmed(time.monotonic()))

    @property
    def reasons(self) -> list[str]:
        return [stop.reason for stop, _ in self.stops]


def test_signs_come_fifty_times_a_second_while_the_key_is_held_and_none_after(terminal):
    ours, theirs = terminal
    with Keyboard(needs_hold=True, descriptor=theirs) as keyboard:
        guard, typist = Guarding(keyboard), Typist(ours)
        guard.listen(0.3)
        assert not guard.held and not guard.stops  # nothing is held yet, and nothing moves
        with typist:
            keyboard.wait_for_hold()
            guard.listen(1.0)
            assert 25 <= len(guard.held) <= 52 and not guard.stops
            typist.let_go()
            let_go = time.monotonic()
            guard.listen(2.0, lambda: bool(guard.stops))
    assert guard.reasons == ["the dead-man key was let go"]
    assert guard.stops[0][1] - let_go < 0.25
    assert max(guard.held) - let_go < 0.15


def test_a_tap_gives_no_sign(terminal):
    ours, theirs = terminal
    with Keyboard(needs_hold=True, descriptor=theirs) as keyboard:
        guard = Guarding(keyboard)
        os.write(ours, b" ")
        guard.listen(0.4)
        os.write(ours, b" " * 40)  # what a slow line kept back
        guard.listen(0.4)
    assert not guard.held and not guard.stops


@pytest.mark.parametrize("needs_hold", [False, True])
@pytest.mark.parametrize("key", [b"q", b"\x1a", b"\x13", b"\x11", b"\x1c", b"\x16", b"\x1b[A", b"\r"])
def test_any_other_key_stops_once(terminal, needs_hold, key):
    """Ctrl-Z, Ctrl-S, Ctrl-Q, Ctrl-backslash and Ctrl-V among them."""
    ours, theirs = terminal
    with Keyboard(needs_hold, descriptor=theirs) as keyboard:
        guard = Guarding(keyboard)
        os.write(ours, key + b"q")
        guard.listen(1.0, lambda: bool(guard.stops))
        guard.listen(0.1)
    assert guard.reasons == ["a key was pressed"]


def test_ctrl_c_stops_at_a_terminal_that_is_not_the_programs_own(terminal):
    """It sends no signal there."""
    ours, theirs = terminal
    with Keyboard(needs_hold=True, descriptor=theirs) as keyboard:
        guard = Guarding(keyboard)
        os.write(ours, b"\x03")
        guard.listen(1.0, lambda: bool(guard.stops))
    assert guard.reasons == ["interrupted from the keyboard"]


def test_a_key_that_is_held_before_there_is_a_guard_fills_no_link(terminal):
    ours, theirs = terminal
    with Keyboard(needs_hold=True, descriptor=theirs) as keyboard, Typist(ours):
        keyboard.wait_for_hold()
        time.sleep(1.0)
        assert not keyboard.guard_link.poll()
        guard = Guarding(keyboard)
        guard.listen(0.5)
    assert guard.held and guard.held[0] > time.monotonic() - 2.0


def test_a_terminal_that_goes_away_stops():
    ours, theirs = pty.openpty()
    with Keyboard(needs_hold=True, descriptor=theirs) as keyboard:
        guard = Guarding(keyboard)
        os.close(ours)
        guard.listen(1.0, lambda: bool(guard.stops))
    os.close(theirs)
    assert len(guard.reasons) == 1 and "the terminal is gone" in guard.reasons[0]


def test_a_process_that_was_frozen_does_not_count_what_it_finds_as_held(terminal):
    ours, theirs = terminal
    with Keyboard(needs_hold=True, descriptor=theirs) as keyboard:
        guard = Guarding(keyboard)
        with Typist(ours) as typist:
            keyboard.wait_for_hold()
            os.kill(keyboard.pid, signal.SIGSTOP)
            frozen = time.monotonic()
            time.sleep(0.5)
            typist.let_go()
            os.kill(keyboard.pid, signal.SIGCONT)
            guard.listen(1.0, lambda: bool(guard.stops))
    assert max(guard.held) <= frozen
    assert guard.reasons and "was not looked at" in guard.reasons[0]


@pytest.mark.parametrize("needs_hold", [False, True])
def test_a_key_that_stops_does_so_however_late_it_is_read(terminal, needs_hold):
    """Typed while the process that reads the keys was frozen, before the dead-man key is held."""
    ours, theirs = terminal
    with Keyboard(needs_hold=needs_hold, descriptor=theirs) as keyboard:
        guard = Guarding(keyboard)
        os.kill(keyboard.pid, signal.SIGSTOP)
        os.write(ours, b"q")
        time.sleep(0.3)
        os.kill(keyboard.pid, signal.SIGCONT)
        guard.listen(1.0, lambda: bool(guard.stops))
    assert guard.reasons == ["a key was pressed"]


def test_another_key_ends_the_wait_for_the_dead_man_key(terminal):
    ours, theirs = terminal
    with Keyboard(needs_hold=True, descriptor=theirs) as keyboard:
        os.write(ours, b"q")
        keyboard.wait_for_hold()
        assert keyboard.over is not None and keyboard.over.reason == "a key was pressed"


def test_a_killed_process_ends_the_wait_and_says_so(terminal):
    with Keyboard(needs_hold=True, descriptor=terminal[1]) as keyboard:
        os.kill(keyboard.pid, signal.SIGKILL)
        keyboard.wait_for_hold()
        assert keyboard.over is not None and "is gone" in keyboard.over.reason


def test_a_guard_that_does_not_confirm_a_stop_is_ended(terminal):
    ours, theirs = terminal
    with subprocess.Popen(["sleep", "60"]) as stands_still, Keyboard(needs_hold=False, descriptor=theirs) as keyboard:
        try:
            keyboard.guard_link.send(GuardIs(stands_still.pid))
            os.write(ours, b"q")
            assert stands_still.wait(5.0) == -signal.SIGKILL
        finally:
            stands_still.kill()


def test_the_terminal_is_as_before_afterwards(terminal):
    _, theirs = terminal
    before = termios.tcgetattr(theirs)
    with Keyboard(needs_hold=True, descriptor=theirs):
        assert termios.tcgetattr(theirs) != before
    assert termios.tcgetattr(theirs) == before
    with Keyboard(needs_hold=True, descriptor=theirs) as keyboard:
        os.kill(keyboard.pid, signal.SIGKILL)
    assert termios.tcgetattr(theirs) == before


def _watch_until_killed(descriptor: int, told: multiprocessing.connection.Connection) -> None:
    with Keyboard(needs_hold=True, descriptor=descriptor) as keyboard:
        told.send(keyboard.pid)
        time.sleep(60.0)


def test_the_process_ends_and_gives_the_terminal_back_when_the_program_is_killed(terminal):
    _, theirs = terminal
    before = termios.tcgetattr(theirs)
    context = multiprocessing.get_context("fork")
    ours, told = context.Pipe()
    program = context.Process(target=_watch_until_killed, args=(theirs, told))
    program.start()
    pid = ours.recv()
    program.kill()
    program.join()
    end = time.monotonic() + 5.0
    while (
        Path(f"/proc/{pid}/stat").exists()
        and "Z" not in Path(f"/proc/{pid}/stat").read_text()
        and time.monotonic() < end
    ):
        time.sleep(0.02)
    assert termios.tcgetattr(theirs) == before


def test_it_starts_without_anything_heavy():
    """A process that takes seconds to import would leave the arm without a dead-man switch for as long."""
    code = "import mereq_deploy.keyboard.__main__, mereq_deploy.keyboard.handle, sys; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"numpy", "franky", "onnxruntime"}.isdisjoint(names)


# --- a button at the machine ------------------------------------------------------------------------------------------


def event(kind: int, code: int, value: int, age: float = 0.0) -> bytes:
    when = time.time() - age
    return struct.pack("llHHi", int(when), int(when % 1 * 1e6), kind, code, value)


@pytest.fixture
def pedal(tmp_path):
    """A pipe that says what an input device would."""
    os.mkfifo(tmp_path / "pedal")
    writer = os.open(tmp_path / "pedal", os.O_RDWR)
    yield tmp_path / "pedal", writer
    os.close(writer)


def test_a_pedal_is_held_from_press_to_release(terminal, pedal):
    device, writer = pedal
    with Keyboard(needs_hold=True, descriptor=terminal[1], device=device) as keyboard:
        guard = Guarding(keyboard)
        os.write(writer, event(1, 30, 1) + event(0, 0, 0))
        guard.listen(0.5)
        assert len(guard.held) >= 10 and not guard.stops
        os.write(writer, event(1, 30, 0))
        guard.listen(1.0, lambda: bool(guard.stops))
    assert guard.reasons == ["the dead-man key was let go"]


def test_a_press_that_comes_late_does_not_count(terminal, pedal):
    device, writer = pedal
    with Keyboard(needs_hold=True, descriptor=terminal[1], device=device) as keyboard:
        guard = Guarding(keyboard)
        os.write(writer, event(1, 30, 1, age=0.5))
        guard.listen(0.4)
    assert not guard.held and not guard.stops


def test_events_that_were_lost_stop(terminal, pedal):
    """The key's release may have been among them."""
    device, writer = pedal
    with Keyboard(needs_hold=True, descriptor=terminal[1], device=device) as keyboard:
        guard = Guarding(keyboard)
        os.write(writer, event(1, 30, 1))
        guard.listen(0.3)
        assert guard.held
        os.write(writer, event(0, 3, 0))
        guard.listen(1.0, lambda: bool(guard.stops))
    assert len(guard.reasons) == 1 and "events were lost" in guard.reasons[0]


@pytest.mark.parametrize("kind", ["nothing", "folder", "file", "/dev/zero"])
def test_what_is_no_input_device_is_told(terminal, tmp_path, kind):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(event(1, 30, 1))
    with (
        pytest.raises(KeyboardError, match=r"device cannot be read: .*it must be an input device"),
        Keyboard(needs_hold=True, descriptor=terminal[1], device=tmp_path / kind),
    ):
        pass


def test_a_descriptor_that_is_no_terminal_is_told(tmp_path):
    with (tmp_path / "file").open("w+") as file, pytest.raises(KeyboardError, match="cannot be watched"):
        Keyboard(needs_hold=True, descriptor=file.fileno()).__enter__()


# --- a keyboard that is far away --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "ancestors", "is_late"),
    [
        ({}, ("bash", "gnome-terminal-", "systemd"), False),
        ({"TERM": "xterm-256color"}, ("bash",), False),
        ({"SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22"}, ("bash",), True),
        ({"TMUX": "/tmp/tmux-1000/default,1,0"}, ("bash",), True),
        ({"STY": "1.pts-0.host"}, ("bash",), True),
        ({"TERM": "screen-256color"}, ("bash",), True),
        ({"DISPLAY": ":0"}, ("bash",), False),
        ({"DISPLAY": "localhost:10.0"}, ("bash",), True),
        ({"XRDP_SESSION": "1"}, ("bash",), True),
        ({}, ("bash", "jupyter-lab"), True),
        # A privileged shell empties the environment.
        ({}, ("sudo", "bash", "sshd"), True),
        ({}, ("bash", "tmux: server"), True),
        ({}, ("bash", "mosh-server"), True),
    ],
)
def test_a_terminal_whose_keys_may_come_late_is_known(environment, ancestors, is_late):
    assert (late_keyboard(environment, ancestors) is not None) == is_late
