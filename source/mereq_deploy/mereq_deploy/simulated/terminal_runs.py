# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Faults done to the program as a person starts it, in a terminal with a shell; a witness says what the arm did.

The arm goes home over a long way, or follows the policy, while somebody holds the space bar. Then something fails.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arm import AT_REST
from ..contract import Contract
from ..runtime import LogError, LogReader
from ..tasks.marks import Marks
from .fault_runs import AFTER, AWAY_FROM_HOME, WITNESS, Finding, rest_after, witnessed
from .process import SimulatedRobot, simulated_robot
from .terminal import Terminal, command_of, descendants
from .typist import Typist

START_TIMEOUT = 60.0
"""Time that the program may take until the arm moves [s]."""

MOVES_FOR = 0.6
"""Time for which the arm moves before something fails [s]."""


@dataclass(frozen=True)
class Stage:
    """What a fault can be done to."""

    terminal: Terminal
    typist: Typist
    program: int
    """Process that runs the policy."""

    guard: int
    keyboard: int

    def signal(self, number: signal.Signals, *pids: int) -> None:
        """Send a signal."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@dataclass(frozen=True)
class TerminalFault:
    """One thing that can go wrong at a terminal."""

    name: str
    inject: Callable[[Stage], None]
    reason: str = ""
    """What the log has to say, as a regular expression; empty where the program is not there to write it."""

    to_rest: float = 0.5
    """From the cause to the arm at rest, at most [s]: 0.15 s without a sign, or a guard that is ended, and the stop."""


def _suspend_and_let_go(stage: Stage) -> None:
    stage.signal(signal.SIGSTOP, stage.program)
    stage.typist.let_go()


def _suspend_the_group(stage: Stage) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(os.getpgid(stage.program), signal.SIGSTOP)


def _suspend_everything(stage: Stage) -> None:
    """As a shell does when it is asked to stop a job: every process that is still in the terminal's group."""
    stage.signal(signal.SIGSTOP, stage.program, stage.keyboard)


LET_GO = "was let go|has not been held|no sign of life"

TERMINAL_FAULTS = (
    TerminalFault("key let go", lambda s: s.typist.let_go(), LET_GO),
    TerminalFault("program suspended (SIGSTOP), key held", lambda s: s.signal(signal.SIGSTOP, s.program)),
    TerminalFault("program suspended (SIGSTOP), key let go", _suspend_and_let_go),
    TerminalFault("program suspended (SIGTSTP)", lambda s: s.signal(signal.SIGTSTP, s.program)),
    TerminalFault("all of the terminal's processes suspended", _suspend_everything),
    TerminalFault("the terminal's process group suspended", _suspend_the_group),
    TerminalFault("program killed", lambda s: s.signal(signal.SIGKILL, s.program)),
    TerminalFault("keyboard's process killed", lambda s: s.signal(signal.SIGKILL, s.keyboard), "is gone|been held"),
    TerminalFault("keyboard's process suspended", lambda s: s.signal(signal.SIGSTOP, s.keyboard), "has not been held"),
    TerminalFault("guard suspended", lambda s: s.signal(signal.SIGSTOP, s.guard), "the guard (said|did not)"),
    TerminalFault("guard killed", lambda s: s.signal(signal.SIGKILL, s.guard), "the guard is gone"),
    TerminalFault("program and guard suspended", lambda s: s.signal(signal.SIGSTOP, s.program, s.guard)),
    TerminalFault("Ctrl-Z", lambda s: s.typist.type(b"\x1a"), "a key was pressed"),
    TerminalFault("Ctrl-S", lambda s: s.typist.type(b"\x13"), "a key was pressed"),
    TerminalFault("Ctrl-Q", lambda s: s.typist.type(b"\x11"), "a key was pressed"),
    TerminalFault("Ctrl-backslash", lambda s: s.typist.type(b"\x1c"), "a key was pressed"),
    TerminalFault("Ctrl-C", lambda s: s.typist.type(b"\x03"), "interrupted from the keyboard"),
    TerminalFault("another key", lambda s: s.typist.type(b"q"), "a key was pressed"),
    TerminalFault("asked to end (SIGTERM)", lambda s: s.signal(signal.SIGTERM, s.program), "asked to end"),
    TerminalFault("terminal closed, key held", lambda s: s.signal(signal.SIGKILL, s.terminal.shell_pid)),
)


def run_at_terminal(fault: TerminalFault, folder: Path, going_home: bool) -> Finding:
    """Start the program in a terminal, let the arm move, do it, and see.

    Args:
        fault: What goes wrong.
        folder: Of an export.
        going_home: Whether it happens on a long way home, or while the policy leads.

    Returns:
        The finding; ``to_rest`` counts from the cause.

    Raises:
        RuntimeError: The arm does not begin to move.
    """
    with _program(folder, going_home) as (place, terminal, typist):
        _wait_until_moving(place, terminal, going_home)
        time.sleep(MOVES_FOR)
        stage = _stage(terminal, typist)
        if not (witnessed(place).joint_speed[-20:] > AT_REST).any():
            raise RuntimeError(f"the arm stands already{_reason_of_end(place)}: {terminal.shown[-2000:]}")
        cause = time.monotonic()
        fault.inject(stage)
        time.sleep(AFTER)
        seen = witnessed(place)
        rest = rest_after(cause, seen)
        stage.signal(signal.SIGCONT, stage.program, stage.keyboard)  # it may tell now what it knows
        reason, is_whole = _what_the_log_says(place, needs_reason=bool(fault.reason))
        name = f"terminal: {fault.name}" + (", going home" if going_home else "")
        return Finding(name, reason, None, rest, is_whole)


@contextlib.contextmanager
def _program(folder: Path, going_home: bool) -> Iterator[tuple[Path, Terminal, Typist]]:
    """A simulated arm, and the program at a terminal in which somebody holds the space bar."""
    contract = Contract.load(folder)
    start = dict(contract.home)
    if going_home:
        start["fr3_joint1"] += AWAY_FROM_HOME
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        robot = stack.enter_context(simulated_robot(start, place / WITNESS))
        terminal = stack.enter_context(Terminal())
        _start(terminal, robot, folder, contract, place)
        yield place, terminal, stack.enter_context(Typist(terminal.descriptor))


def _start(terminal: Terminal, robot: SimulatedRobot, folder: Path, contract: Contract, place: Path) -> None:
    command = [sys.executable, "-m", "mereq_deploy", "--policy", str(folder), "--robot", robot.address, "--speed", "1"]
    command += ["--seconds", "30", "--log", str(place / "log.jsonl")]
    if "marks" in contract.parameters:
        marks = Marks.draw(contract.parameters["marks"], np.random.default_rng(0))
        np.savetxt(place / "marks.csv", marks, delimiter=",")
        command += ["--marks", str(place / "marks.csv")]
    terminal.run(command)
    if not terminal.wait_for("Go on?", START_TIMEOUT):
        raise RuntimeError(f"the program does not ask: {terminal.shown}")
    terminal.type(b"y\n")
    if not terminal.wait_for("Hold the space bar", START_TIMEOUT):
        raise RuntimeError(f"the program does not begin: {terminal.shown}")


def _wait_until_moving(place: Path, terminal: Terminal, going_home: bool) -> None:
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        log = (place / "log.jsonl").read_text(encoding="utf-8") if (place / "log.jsonl").exists() else ""
        is_moving = (witnessed(place).joint_speed[-20:] > AT_REST).any()
        if is_moving if going_home else log.count('"kind": "step"') >= 5:
            return
        if '"kind": "end"' in log:
            break
        time.sleep(0.02)
    raise RuntimeError(f"the arm does not move{_reason_of_end(place)}: {terminal.shown[-2000:]}")


def _reason_of_end(place: Path) -> str:
    """Return why the motion ended, in brackets, or nothing where its log has no end yet."""
    with contextlib.suppress(LogError, OSError):
        end = LogReader(place / "log.jsonl").end
        return "" if end is None else f" ({end['reason']})"
    return ""


def _stage(terminal: Terminal, typist: Typist) -> Stage:
    commands = {pid: command_of(pid) for pid in descendants(terminal.shell_pid)}
    (program,) = (pid for pid, command in commands.items() if "-m mereq_deploy --policy" in command)
    (keyboard,) = (pid for pid, command in commands.items() if "-m mereq_deploy.keyboard" in command)
    (guard,) = (pid for pid, command in commands.items() if "spawn_main" in command)
    return Stage(terminal, typist, program, guard, keyboard)


def _what_the_log_says(place: Path, needs_reason: bool) -> tuple[str, bool]:
    """Return why the motion ended, and whether the log is whole: with an end where the program could write one."""
    end = time.monotonic() + 10.0
    while True:
        with contextlib.suppress(LogError):
            log = LogReader(place / "log.jsonl")
            if log.end is not None:
                return log.end["stopped"]["reason"], True
            if not needs_reason or time.monotonic() > end:
                return "", not needs_reason
        if time.monotonic() > end:
            return "", False
        time.sleep(0.05)


def run_tap(folder: Path) -> Finding:
    """Tap the space bar once, where it is to be held: nothing may move.

    Args:
        folder: Of an export.
    """
    with _program(folder, going_home=True) as (place, terminal, typist):
        typist.let_go()  # one character was typed, or two
        time.sleep(2.0)
        terminal.type(b" ")
        time.sleep(AFTER)
        is_still = bool((witnessed(place).joint_speed < AT_REST).all())
        return Finding("terminal: tap", "", None, 0.0 if is_still else np.inf, True)
