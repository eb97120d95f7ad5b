# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What can go wrong with an arm, to be done on purpose to a simulated one; :mod:`.fault_runs` does it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..arm import FrankyArm, Snapshot
from ..contract import Contract
from ..fr3 import JOINT_HIGH, JOINT_LOW, JOINT_SPEED
from ..guard import GuardedArm
from ..guard.loop import Connect
from ..keyboard.handle import Keyboard
from ..safety import SafetyLimits
from ..safety.monitor import CONTACT_TIME
from .process import SimulatedRobot
from .typist import Typist

BEFORE = 1.0
"""Time for which the arm moves before something fails [s]."""


@dataclass(frozen=True)
class Scene:
    """What a fault can be done to."""

    robot: SimulatedRobot
    arm: GuardedArm
    policy: FaultyPolicy
    keyboard: Keyboard
    typist: Typist
    """At the terminal; holds the dead-man key."""


@dataclass(frozen=True)
class Witnessed:
    """What the simulated controller saw of its arm."""

    time: np.ndarray
    """On the machine's monotonic clock [s]. Shape: (num_looks,)"""

    force: np.ndarray
    """On the tool [N]. Shape: (num_looks,)"""

    joint_position: np.ndarray
    """Shape: (num_looks, 7) [rad]"""

    joint_speed: np.ndarray
    """Shape: (num_looks, 7) [rad/s]"""

    @staticmethod
    def of(table: np.ndarray) -> Witnessed:
        """Read what the controller wrote. Shape: (num_looks, 16)."""
        return Witnessed(table[:, 0], table[:, 1], table[:, 2:9], np.abs(table[:, 9:16]))

    def first(self, is_so: np.ndarray) -> float | None:
        """Return when something was so for the first time [s]. Shape of is_so: (num_looks,)."""
        return float(self.time[is_so][0]) if is_so.any() else None


class FaultyPolicy:
    """Sweeps or pulls one way; from a moment on it may do what no policy should."""

    def __init__(self, contract: Contract, pull: tuple[float, float, float] | None) -> None:
        """Hold what it does."""
        self._width, self._pull = contract.num_actions, pull
        self.says: Callable[[], None] | None = None
        """Called in every step, if set."""
        self.is_nan = False
        self.has_begun = threading.Event()

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return an action. Shapes: (num_obs,) and (num_actions,)."""
        self.has_begun.set()
        if self.says is not None:
            self.says()
        action = np.zeros(self._width)
        if self._pull is not None:
            action[:3] = self._pull
        else:
            action[1] = np.sign(np.sin(2.0 * np.pi * time.monotonic() / 2.0))
        return np.full(self._width, np.nan) if self.is_nan else action


class ArmThatFails(FrankyArm):
    """An arm that is as any other until a second after it began to follow."""

    _since = float("inf")

    def follow(self, max_step: float) -> None:
        """As in the parent."""
        super().follow(max_step)
        self._since = time.monotonic() + BEFORE


class StaleArm(ArmThatFails):
    """Its readings do not change any more."""

    _stale: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """As in the parent, for a second."""
        now = time.monotonic()
        if now < self._since:
            self._stale = super().snapshot()
            return self._stale
        assert self._stale is not None
        return replace(self._stale, measured=replace(self._stale.measured, age=now - self._since))


class StaleFromTheStart(StaleArm):
    """Its readings never change: it seems to rest, and to feel nothing."""

    def snapshot(self) -> Snapshot:
        """As of an arm, once."""
        found = super().snapshot()
        self._since = min(self._since, time.monotonic())
        return found


class FailingArm(ArmThatFails):
    """It raises what nobody reckoned with."""

    def snapshot(self) -> Snapshot:
        """As in the parent, for a second; once it fails, and then again as before: the stop needs readings."""
        if time.monotonic() > self._since:
            self._since = float("inf")
            raise KeyError("a bug of the client")
        return super().snapshot()


class HangingArm(ArmThatFails):
    """A call into its client does not come back."""

    def snapshot(self) -> Snapshot:
        """As in the parent, for a second."""
        if time.monotonic() > self._since:
            time.sleep(60.0)
        return super().snapshot()


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong."""

    name: str
    message: str
    """What the program has to say, as a regular expression."""

    inject: Callable[[Scene], None] | None = None
    """Does it, a second into the motion or a moment into weighing; None where the motion itself runs into a limit."""

    limits: dict[str, Any] | None = None
    """Limits that differ."""

    pull: tuple[float, float, float] | None = None
    """Which way the tool is pulled; None to sweep."""

    connect: Connect = FrankyArm
    arm_stays: bool = True
    """Whether there is an arm left that can come to rest."""

    phase: Literal["following", "going home", "weighing"] = "following"
    """When it happens: while the policy leads, while joints go home before that, or while it is weighed at rest."""

    begins: Callable[[Witnessed, SafetyLimits], float | None] | None = None
    """When the cause was there, by the witness [s]; of a fault that nobody injects."""

    cause_is_hidden: bool = False
    """Whether only the guard's process knows when the cause was there: then only the time to rest is told."""

    to_stop: float = 0.1
    """Time from the cause to the stop, at most [s]."""


def _nan(scene: Scene) -> None:
    scene.policy.is_nan = True


def _slow(scene: Scene) -> None:
    scene.policy.says = lambda: time.sleep(0.2)


def _interrupt(scene: Scene) -> None:
    # As the terminal does it: to the program, not to the thread that this function happens to be called in.
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def _type(keys: bytes) -> Callable[[Scene], None]:
    return lambda scene: scene.typist.type(keys)


def _signal_guard(number: signal.Signals) -> Callable[[Scene], None]:
    return lambda scene: os.kill(scene.arm.pid, number)


def _signal_keyboard(number: signal.Signals) -> Callable[[Scene], None]:
    return lambda scene: os.kill(scene.keyboard.pid, number)


def _starve_guard(seconds: float, times: int = 1) -> Callable[[Scene], None]:
    """Take the processor away from the guard for a while, as a busy machine does."""

    def starve(scene: Scene) -> None:
        for _ in range(times):
            try:
                os.kill(scene.arm.pid, signal.SIGSTOP)
                time.sleep(seconds)
                os.kill(scene.arm.pid, signal.SIGCONT)
            except ProcessLookupError:  # it was ended meanwhile
                return
            time.sleep(0.2)

    return starve


def _joint_too_far(seen: Witnessed, limits: SafetyLimits) -> float | None:
    low, high = (np.array(bound) for bound in (JOINT_LOW, JOINT_HIGH))
    inside = (seen.joint_position >= low + limits.joint_margin) & (seen.joint_position <= high - limits.joint_margin)
    return seen.first(~inside.all(axis=1))


def _joint_too_fast(seen: Witnessed, limits: SafetyLimits) -> float | None:
    return seen.first((seen.joint_speed > limits.velocity_share * np.array(JOINT_SPEED)).any(axis=1))


def _force_too_large(seen: Witnessed, limits: SafetyLimits) -> float | None:
    looks = max(1, round(CONTACT_TIME / float(np.median(np.diff(seen.time)))))
    lasting = np.convolve(seen.force, np.ones(looks) / looks)[: len(seen.force)]
    return seen.first((lasting > limits.max_force) | (seen.force > limits.peak_factor * limits.max_force))


LOST = "state is|stopped by itself|cannot be read"

GUARD_HANGS = "the guard (said nothing|did not confirm a stop)"

STARVED = "has not looked at the arm|the arm stopped by itself"
"""The guard after a pause of 60 ms, or the arm, whose own reflex comes after 50 ms without a command."""

FAULTS = (
    Fault("server killed", LOST, lambda s: s.robot.kill(), arm_stays=False),
    Fault("server frozen", "state is .* s old", lambda s: s.robot.freeze(), arm_stays=False),
    Fault("state stops updating", "state is .* s old", connect=StaleArm),
    Fault("client fails", "the guard failed: KeyError", connect=FailingArm),
    Fault(
        "client hangs", "the guard hung, and the system's watchdog ended it", connect=HangingArm, cause_is_hidden=True
    ),
    Fault("policy returns NaN", "the policy says", _nan),
    Fault("policy takes 200 ms", "the policy has not answered", _slow),
    # Without its client an arm's own controller stops it: an FR3 after 20 ms, the simulated one at once when the
    # connection is closed.
    Fault("guard killed", "the guard is gone", _signal_guard(signal.SIGKILL)),
    Fault("guard frozen", GUARD_HANGS, _signal_guard(signal.SIGSTOP), to_stop=0.3),
    Fault("guard frozen, three times a second", GUARD_HANGS, _starve_guard(1.0, 3), to_stop=0.3),
    Fault("guard starved for 60 ms", STARVED, _starve_guard(0.06)),
    Fault("guard asked to end", "asked to end", _signal_guard(signal.SIGTERM)),
    Fault("dead-man key let go", "was let go|has not been held", lambda s: s.typist.let_go(), to_stop=0.2),
    Fault("keyboard's process killed", "watches the keys is gone|has not been held", _signal_keyboard(signal.SIGKILL)),
    Fault("keyboard's process frozen", "has not been held", _signal_keyboard(signal.SIGSTOP), to_stop=0.2),
    Fault("emergency key", "a key was pressed", _type(b"q")),
    Fault("Ctrl-Z, a key like any other", "a key was pressed", _type(b"\x1a")),
    Fault("Ctrl-S, a key like any other", "a key was pressed", _type(b"\x13")),
    Fault("Ctrl-C", "interrupted from the keyboard", _interrupt),
    Fault("joint limit", "joint 4 is at", limits={"joint_margin": 0.6}, pull=(-1.0, 0.0, 0.0), begins=_joint_too_far),
    Fault("velocity limit", "joint . moves at", limits={"velocity_share": 0.05}, begins=_joint_too_fast),
    Fault("force limit", "force on the tool is", limits={"max_force": 6.0}, pull=(0, 0, -1.0), begins=_force_too_large),
    Fault("Ctrl-C, going home", "interrupted from the keyboard", _interrupt, phase="going home"),
    Fault("emergency key, going home", "a key was pressed", _type(b"q"), phase="going home"),
    Fault("server killed, going home", LOST, lambda s: s.robot.kill(), arm_stays=False, phase="going home"),
    Fault("guard frozen, going home", GUARD_HANGS, _signal_guard(signal.SIGSTOP), to_stop=0.3, phase="going home"),
    Fault("guard starved, going home", STARVED, _starve_guard(0.06), phase="going home"),
    Fault(
        "dead-man key let go, going home",
        "was let go|has not been held",
        lambda s: s.typist.let_go(),
        to_stop=0.2,
        phase="going home",
    ),
    Fault(
        "keyboard's process frozen, going home",
        "has not been held",
        _signal_keyboard(signal.SIGSTOP),
        to_stop=0.2,
        phase="going home",
    ),
    Fault(
        "velocity limit, going home",
        "joint . moves at",
        limits={"velocity_share": 0.05},
        begins=_joint_too_fast,
        phase="going home",
    ),
    Fault(
        "state stops updating, weighing",
        "state is .* s old",
        connect=StaleFromTheStart,
        cause_is_hidden=True,
        phase="weighing",
    ),
    Fault("guard frozen, weighing", GUARD_HANGS, _signal_guard(signal.SIGSTOP), to_stop=0.3, phase="weighing"),
    # Of an arm that stands the client waits for a state: the system's watchdog ends the guard.
    Fault(
        "server frozen, weighing",
        "state is .* s old|the guard hung",
        lambda s: s.robot.freeze(),
        arm_stays=False,
        phase="weighing",
        to_stop=0.15,
    ),
    Fault("emergency key, weighing", "a key was pressed", _type(b"q"), phase="weighing"),
    Fault(
        "dead-man key let go, weighing",
        "was let go|has not been held",
        lambda s: s.typist.let_go(),
        to_stop=0.2,
        phase="weighing",
    ),
)
