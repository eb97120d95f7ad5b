# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Faults, done to a simulated arm; its controller says what the arm did.

The tool sweeps from side to side above the board, is pulled one way, or goes home, and a second later something fails.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pty
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..arm import AT_REST, ArmError
from ..contract import Contract, ContractError
from ..contract_file import FILE_NAME
from ..guard import GuardedArm, Stopped, StoppedError
from ..guard.loop import PERIOD, REST_LOOKS
from ..guard.messages import Settings
from ..keyboard.handle import Keyboard
from ..runtime import Episode, LogReader, LogWriter, Outcome
from ..safety import SafetyLimits
from ..tasks.marks import Marks
from ..tasks.strokes import Strokes
from .faults import BEFORE, Fault, FaultyPolicy, Scene, Witnessed
from .process import simulated_robot
from .typist import Typist

AFTER = 0.8
"""Time for which the witness watches on [s]."""

TWITCH = 0.003
"""[rad]: the tool moves by less than 3 mm."""

WITNESS, LOG = "witness.csv", "log.jsonl"

REST_TIME = REST_LOOKS * PERIOD
"""Time for which the guard weighs a resting arm before each motion [s]."""

AWAY_FROM_HOME = 0.8
"""Of the first joint, where the arm starts that is to go home [rad]."""


@dataclass(frozen=True)
class Finding:
    """What came of a fault. Times in seconds."""

    name: str
    reason: str
    to_stop: float | None
    """From the cause to the stop being commanded; None where nothing could be commanded."""

    to_rest: float | None
    """From the stop being commanded to the arm at rest, as the witness saw it; None where no arm is left."""

    is_log_whole: bool


def run_fault(fault: Fault, contract: Contract, limits: SafetyLimits) -> Finding:
    """Let an arm move, do it, and see.

    Args:
        fault: What goes wrong.
        contract: Of a policy that moves a tool.
        limits: The safety layer's, but for those that the fault changes.
    """
    limits = replace(limits, **(fault.limits or {}))
    start = dict(contract.home)
    if fault.phase != "following":
        start["fr3_joint1"] += AWAY_FROM_HOME
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        robot = stack.enter_context(simulated_robot(start, folder / WITNESS))
        keyboard, typist = stack.enter_context(_keyboard())
        arm = GuardedArm(
            *(robot.address, contract, limits, Settings(speed=1.0, needs_hold=True)),
            *(fault.connect, keyboard.guard_link),
        )
        stack.callback(arm.close)
        policy = FaultyPolicy(contract, fault.pull)
        keyboard.wait_for_hold()
        injected: list[float] = []
        is_over = threading.Event()

        def inject() -> None:
            if fault.phase == "following":
                policy.has_begun.wait()
            elif fault.phase == "going home":
                time.sleep(REST_TIME)
            if is_over.wait(REST_TIME / 2 if fault.phase == "weighing" else BEFORE):  # something else stopped it before
                return
            injected.append(time.monotonic())
            assert fault.inject is not None
            fault.inject(Scene(robot, arm, policy, keyboard, typist))

        if fault.inject is not None:
            threading.Thread(target=inject, daemon=True).start()
        outcome = _lead(arm, contract, policy, folder)
        is_over.set()
        log = LogReader(folder / LOG)
        assert outcome.stopped is not None
        stopped = outcome.stopped
        is_log_whole = (
            log.end is not None
            and log.end["stopped"]["reason"] == stopped.reason
            and log.end["phase"] == ("following the policy" if fault.phase == "following" else "going home")
            and len(list(log.steps())) == outcome.steps
        )
        time.sleep(AFTER)
        seen = witnessed(folder)
        cause = injected[0] if injected else _cause(fault, stopped, seen, limits)
        return Finding(
            fault.name,
            stopped.reason,
            None if cause is None else stopped.commanded - cause,
            rest_after(stopped.commanded, seen) if fault.arm_stays else None,
            is_log_whole,
        )


def _cause(fault: Fault, stopped: Stopped, seen: Witnessed, limits: SafetyLimits) -> float | None:
    """Return when the cause was there, of a fault that came by itself [s]; None if it cannot be known outside."""
    if fault.cause_is_hidden:
        return None
    if fault.begins is not None:
        return fault.begins(seen, limits)
    # A reading that grew old: it was new as long ago as the guard found it to be.
    return stopped.cause - (0.0 if stopped.measured is None else stopped.measured.age)


@contextlib.contextmanager
def _keyboard() -> Iterator[tuple[Keyboard, Typist]]:
    """A person at a terminal who holds the dead-man key."""
    ours, theirs = pty.openpty()
    typist = Typist(ours)
    try:
        with Keyboard(needs_hold=True, descriptor=theirs) as keyboard, typist:
            yield keyboard, typist
    finally:
        os.close(ours)
        os.close(theirs)


def run_killed_policy(contract: Contract, limits: SafetyLimits) -> Finding:
    """Kill the policy's process while the arm moves: the guard has to stop the arm, and the log has to be whole.

    Args:
        contract: Of a policy that moves a tool.
        limits: The safety layer's.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        robot = stack.enter_context(simulated_robot(contract.home, folder / WITNESS))
        # Not a daemon: those may not start processes, and the policy's starts the guard.
        process = multiprocessing.get_context("spawn").Process(
            target=_lead_until_killed, args=(robot.address, contract.to_dict(), limits, folder)
        )
        process.start()
        log_file = folder / LOG
        while process.is_alive() and not (log_file.exists() and log_file.read_text().count('"kind": "step"') > 20):
            time.sleep(0.01)
        killed = time.monotonic()
        process.kill()
        process.join()
        time.sleep(AFTER)
        log = LogReader(log_file)
        is_whole = log.end is None and len(list(log.steps())) >= 20
        # Nobody is left to say when the stop was commanded: both times together have to be short.
        return Finding("policy's process killed", "", None, rest_after(killed, witnessed(folder)), is_whole)


# --- what must not even begin -----------------------------------------------------------------------------------------

REFUSALS = {
    "connection refused": "cannot connect to",
    "second client": "no answer from .* is another program connected|cannot connect to",
    "model file changed": "not the one that was exported",
    "contract changed": "contract is not the one that was exported",
    "contract of another version": "version 2, this program reads 1",
    "contract of another robot": "for a robot Panda",
    "force at rest": "feels 6.0 N before it touches anything",
    "home through the table": "the tool would be at a height of 0.03. m at .* of the way home",
    "away from the workspace": "outside the workspace along",
}
"""What each has to be told as, as a regular expression."""

STARTS = {
    "home through the table": {"fr3_joint2": 0.38, "fr3_joint4": 0.45, "fr3_joint6": -1.17},
    "away from the workspace": {"fr3_joint1": 1.4},
}
"""Where the arm stands, as offsets from home [rad]."""

HIGH_TABLE = 0.03
"""Height of what the way home leads through [m]; the tool is at 0.06 m and 0.07 m at both ends of it."""


def run_refusal(name: str, folder: Path, limits: SafetyLimits) -> Finding:
    """Try to begin where nothing may begin, and see whether the arm stays where it is.

    Args:
        name: One of :obj:`REFUSALS`.
        folder: Of an export; it is not changed.
        limits: The safety layer's.

    Returns:
        The finding; ``to_rest`` is 0 for an arm that never moved.
    """
    contract = Contract.load(folder)
    start = {joint: position + STARTS.get(name, {}).get(joint, 0.0) for joint, position in contract.home.items()}
    if name == "home through the table":
        limits = replace(limits, lowest=HIGH_TABLE)
    bias = (0.0, 0.0, 6.0) if name == "force at rest" else (0.0, 0.0, 0.0)
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        robot = stack.enter_context(simulated_robot(start, place / WITNESS, bias))
        spoilt = place / "export"
        shutil.copytree(folder, spoilt)
        address = "127.0.78.1" if name == "connection refused" else robot.address
        _spoil(name, spoilt, contract)
        if name == "second client":
            first = GuardedArm(address, contract, limits, Settings(speed=1.0))
            stack.callback(first.close)
        try:
            arm = GuardedArm(address, Contract.load(spoilt), limits, Settings(speed=1.0))
            stack.callback(arm.close)
            arm.go_home()
            reason = "it went home"
        except (ArmError, ContractError, StoppedError) as error:
            reason = str(error)
        time.sleep(AFTER)
        seen = witnessed(place)
        is_still = bool((seen.joint_speed < AT_REST).all())
        return Finding(name, reason, None, 0.0 if is_still else np.inf, True)


def _spoil(name: str, folder: Path, contract: Contract) -> None:
    """Do to an export what a refusal is about."""
    file = folder / FILE_NAME
    if name == "contract of another robot":
        replace(contract, robot="Panda").save(folder)
    elif name == "contract of another version":
        file.write_text(file.read_text(encoding="utf-8").replace('"version": 1', '"version": 2', 1), encoding="utf-8")
    elif name == "contract changed":
        file.write_text(file.read_text(encoding="utf-8").replace("400.0", "900.0"), encoding="utf-8")
    elif name == "model file changed":
        model = folder / contract.models["policy"].files["onnx"]["name"]
        model.write_bytes(model.read_bytes()[:-1] + b"?")


# --- driving ----------------------------------------------------------------------------------------------------------


def _lead_until_killed(address: str, contract: dict[str, Any], limits: SafetyLimits, folder: Path) -> None:
    read = Contract.from_dict(contract)
    _lead(GuardedArm(address, read, limits, Settings(speed=1.0)), read, FaultyPolicy(read, None), folder)


def _lead(arm: GuardedArm, contract: Contract, policy: FaultyPolicy, folder: Path) -> Outcome:
    law = contract.parameters.get("marks")
    strokes = None if law is None else Strokes(Marks.drawn(law, np.random.default_rng(0)))
    with LogWriter(folder / LOG) as log:
        log.write("start", task=contract.task, marks=None if strokes is None else strokes.now.position)
        return Episode(arm, contract, policy, 200, log, strokes).run()


def witnessed(folder: Path) -> Witnessed:
    """Read what the controller has written so far to a folder's :obj:`WITNESS`."""
    lines = (folder / WITNESS).read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]  # the controller may write at this moment, or was killed
    return Witnessed.of(np.loadtxt(whole, delimiter=",", ndmin=2))


def rest_after(stop: float, seen: Witnessed) -> float:
    """Return how long after a moment the arm still moved [s]; without end where the witness saw no more of it.

    A joint that is handed over at rest twitches at some 0.02 rad/s: what stays within :obj:`TWITCH` of the end is rest.
    """
    if seen.time[-1] < stop + AFTER / 2:
        return np.inf
    is_away = np.abs(seen.joint_position - seen.joint_position[-1]) > TWITCH
    moving = seen.time[((seen.joint_speed > AT_REST) & is_away).any(axis=1)]
    return max(0.0, float(moving.max(initial=stop)) - stop)
