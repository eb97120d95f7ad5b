# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What can go wrong while an arm moves, done on purpose to a simulated one; its controller says what the arm did.

The tool sweeps from side to side above the board, or is pulled one way, and a second later something fails.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..arm import FrankyArm, Snapshot
from ..contract import Contract
from ..guard import GuardedArm
from ..guard.messages import Settings
from ..runtime import Episode, LogReader, LogWriter, Outcome
from ..safety import SafetyLimits
from ..tasks.marks import Marks
from .process import SimulatedRobot, simulated_robot

BEFORE = 1.0
"""Time for which the arm moves before something fails [s]."""

AFTER = 1.0
"""Time for which the witness watches on [s]."""

WITNESS, LOG = "witness.csv", "log.jsonl"

AT_REST = 0.02
"""[rad/s]"""


@dataclass(frozen=True)
class Scene:
    """What a fault can be done to."""

    robot: SimulatedRobot
    arm: GuardedArm
    policy: FaultyPolicy


class FaultyPolicy:
    """Sweeps or pulls one way; from a moment on it may do what no policy should."""

    def __init__(self, contract: Contract, pull: tuple[float, float, float] | None) -> None:
        """Hold what it does."""
        self._width, self._pull = contract.num_actions, pull
        self.says: Callable[[], None] | None = None
        """Called in every step, if set."""
        self.is_nan = False

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return an action. Shapes: (num_obs,) and (num_actions,)."""
        if self.says is not None:
            self.says()
        action = np.zeros(self._width)
        if self._pull is not None:
            action[:3] = self._pull
        else:
            action[1] = np.sign(np.sin(2.0 * np.pi * time.monotonic() / 2.0))
        return np.full(self._width, np.nan) if self.is_nan else action


class StaleArm(FrankyArm):
    """An arm whose readings do not change any more from a second after it began to follow."""

    _stale: Snapshot | None = None
    _since = float("inf")

    def follow(self, max_step: float) -> None:
        """As in the parent."""
        super().follow(max_step)
        self._since = time.monotonic() + BEFORE

    def snapshot(self) -> Snapshot:
        """As in the parent, for a second."""
        now = time.monotonic()
        if now < self._since:
            self._stale = super().snapshot()
            return self._stale
        assert self._stale is not None
        return replace(self._stale, measured=replace(self._stale.measured, age=now - self._since))


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong."""

    name: str
    message: str
    """What the program has to say, as a regular expression."""

    inject: Callable[[Scene], None] | None = None
    """Does it, a second into the motion; None where the motion itself runs into a limit."""

    limits: dict[str, Any] | None = None
    """Limits that differ."""

    pull: tuple[float, float, float] | None = None
    """Which way the tool is pulled; None to sweep."""

    connect: Callable[[str, Contract], FrankyArm] = FrankyArm
    arm_stays: bool = True
    """Whether there is an arm left that can come to rest."""


def _nan(scene: Scene) -> None:
    scene.policy.is_nan = True


def _slow(scene: Scene) -> None:
    scene.policy.says = lambda: time.sleep(0.2)


FAULTS = (
    Fault("server killed", "state is|stopped by itself|cannot be read", lambda s: s.robot.kill(), arm_stays=False),
    Fault("server frozen", "state is .* s old", lambda s: s.robot.freeze(), arm_stays=False),
    Fault("state stops updating", "state is .* s old", connect=StaleArm),
    Fault("policy returns NaN", "the policy says", _nan),
    Fault("policy takes 200 ms", "the policy has not answered", _slow),
    # An arm's own controller stops it when its client is lost; the simulated one has no such reflex, so nothing to see.
    Fault("guard killed", "the guard is gone", lambda s: os.kill(s.arm.pid, signal.SIGKILL), arm_stays=False),
    Fault("asked to stop from a thread", "a key was pressed", lambda s: s.arm.ask_to_stop("a key was pressed")),
    Fault("Ctrl-C", "interrupted from the keyboard", lambda s: signal.raise_signal(signal.SIGINT)),
    Fault("joint limit", "joint 4 is at", limits={"joint_margin": 0.6}, pull=(-1.0, 0.0, 0.0)),
    Fault("velocity limit", "joint . moves at", limits={"velocity_share": 0.05}),
    Fault("force limit", "force on the tool is", limits={"max_force": 6.0}, pull=(0.0, 0.0, -1.0)),
)


@dataclass(frozen=True)
class Finding:
    """What came of a fault. Times in seconds."""

    name: str
    reason: str
    to_stop: float | None
    """From the cause to the stop being commanded; None where the cause is the motion's own."""

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
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        robot = stack.enter_context(simulated_robot(contract.home, folder / WITNESS))
        arm = GuardedArm(robot.address, contract, limits, Settings(speed=1.0), fault.connect)
        stack.callback(arm.close)
        policy = FaultyPolicy(contract, fault.pull)
        injected: list[float] = []

        def inject() -> None:
            injected.append(time.monotonic())
            assert fault.inject is not None
            fault.inject(Scene(robot, arm, policy))

        if fault.inject is not None:
            timer = threading.Timer(BEFORE, inject)
            timer.daemon = True
            timer.start()
        outcome = _lead(arm, contract, policy, folder)
        time.sleep(AFTER)
        stopped, log = outcome.stopped, LogReader(folder / LOG)
        assert stopped is not None
        return Finding(
            fault.name,
            stopped.reason,
            stopped.commanded - injected[0] if injected else None,
            _rest_after(stopped.commanded, folder) if fault.arm_stays else None,
            log.end is not None and len(list(log.steps())) == outcome.steps,
        )


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
        while process.is_alive() and not (log_file.exists() and log_file.read_text().count("\n") > 20):
            time.sleep(0.01)
        killed = time.monotonic()
        process.kill()
        process.join()
        time.sleep(AFTER)
        log = LogReader(log_file)
        is_whole = log.end is None and len(list(log.steps())) >= 20
        return Finding("policy's process killed", "", None, _rest_after(killed, folder), is_whole)


def _lead_until_killed(address: str, contract: dict[str, Any], limits: SafetyLimits, folder: Path) -> None:
    read = Contract.from_dict(contract)
    _lead(GuardedArm(address, read, limits, Settings(speed=1.0)), read, FaultyPolicy(read, None), folder)


def _lead(arm: GuardedArm, contract: Contract, policy: FaultyPolicy, folder: Path) -> Outcome:
    law = contract.parameters.get("marks")
    marks = None if law is None else Marks(Marks.draw(law, np.random.default_rng(0)), law)
    with LogWriter(folder / LOG) as log:
        log.write("start", task=contract.task, marks=None if marks is None else marks.position)
        return Episode(arm, contract, policy, 200, log, marks).run()


def _rest_after(stop: float, folder: Path) -> float:
    """Return how long after a moment the arm still moved, as the witness saw it [s]."""
    seen = np.loadtxt(folder / WITNESS, delimiter=",", ndmin=2)
    moving = seen[seen[:, 1] > AT_REST, 0]
    return max(0.0, float(moving.max()) - stop)
