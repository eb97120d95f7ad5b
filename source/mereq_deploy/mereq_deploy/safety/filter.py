# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Every command passes here. What is merely too much is clamped; what should not be at all stops the arm.

The arm follows a target like a damped spring: where ``error`` is the distance from the measured place to the reference,
which is what is sent, the tool settles at the speed ``stiffness / damping * error``. So a limit of speed is one of the
error. An arm that lags, since friction or a board holds it, may be pulled harder, as fast as the limit of speed lets
the reference move on, up to a step. Pulling less is never limited.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..action import Target
from ..contract import Contract
from ..fr3 import MOST_OPEN
from ..state import conjugate, multiply
from .limits import SafetyError, SafetyLimits
from .measured import Measured, Violation
from .monitor import Monitor

CONTROL_RATE_HZ = 200.0
"""How often the arm is looked at and the reference moves [Hz]."""

TOUCH_FORCE, TOUCH_TIME = 3.0, 0.1
"""Upward force from which a tool touches something [N], and how long that counts [s]."""


@dataclass(frozen=True)
class Command:
    """A target that may be sent."""

    position: np.ndarray
    orientation: np.ndarray
    finger_opening: float | None
    clamped_by: tuple[str, ...] = field(default=())
    """Names of the limits that changed what the policy asked for."""


class SafetyFilter:
    """Holds the limits, and the last command for those that compare with it."""

    def __init__(
        self, limits: SafetyLimits, contract: Contract, speed: float | None = None, rate_hz: float = CONTROL_RATE_HZ
    ) -> None:
        """Begin a motion.

        Args:
            limits: The limits.
            contract: Of the policy: its workspace and gains.
            speed: Share of the largest speed and acceleration; that of a first run when left out.
            rate_hz: How often :meth:`command` is called [Hz].

        Raises:
            ValueError: The share is not above 0 and at most 1.
            SafetyError: The policy's workspace is outside of the safety layer's.
        """
        share = limits.first_speed if speed is None else speed
        if not 0.0 < share <= 1.0:
            raise ValueError(f"speed is {speed}; it must be above 0 and at most 1")
        check_fits(contract, limits)
        self.limits, self.period = limits, 1.0 / rate_hz
        self._monitor = Monitor(limits, contract, share, self.period)
        self.low, self.high = self._monitor.low, self._monitor.high
        self.max_speed = share * limits.max_speed
        self.max_acceleration = share * limits.max_acceleration
        self.max_turn_rate = share * limits.max_turn_rate
        stiffness, damping = (
            np.asarray(gains[:3]) for gains in (contract.controller.stiffness, contract.controller.damping)
        )
        self.speed_per_error = float(np.max(stiffness / damping))
        self.max_approach = min(self.max_speed, limits.max_approach_speed)
        self._looks_untouched = round(TOUCH_TIME * rate_hz)
        # A step is also a force, and a stiffer controller must not press harder.
        self.max_step = min(limits.max_step, limits.max_force / float(np.max(stiffness)))
        self._reference: np.ndarray | None = None
        self._orientation: np.ndarray | None = None

    def watch(self, measured: Measured, motion_time: float = 0.0, is_going_home: bool = False) -> None:
        """Look at the arm alone; see :meth:`.monitor.Monitor.watch`.

        Raises:
            Violation: Something is beyond its limit, or not a number.
        """
        self._monitor.watch(measured, self._reference, motion_time, is_going_home)

    def command(self, target: Target, measured: Measured) -> Command:
        """Return the next reference.

        Args:
            target: What the policy asks for.
            measured: The arm; :meth:`watch` has passed it.

        Raises:
            Violation: The target is not a number.
        """
        norm = float(np.linalg.norm(target.orientation))
        if not (np.isfinite(target.position).all() and abs(norm - 1.0) < 1e-3):
            raise Violation(f"the policy asks for {target.position}, {target.orientation}")
        if target.finger_opening is not None and not 0.0 <= target.finger_opening <= MOST_OPEN:
            raise Violation(f"the policy asks for fingers {target.finger_opening} m apart")
        clamped: list[str] = []

        def clamp(name: str, value: np.ndarray, limited: np.ndarray) -> np.ndarray:
            if not np.allclose(value, limited, rtol=0.0, atol=1e-12):
                clamped.append(name)
            return limited

        here = measured.tool_position
        last = here if self._reference is None else self._reference
        wanted = clamp("workspace", target.position, np.clip(target.position, self.low, self.high))
        wanted = here + clamp("step", wanted - here, _shortened(wanted - here, self.max_step))

        held = _nearest_on_segment(wanted, here, last)
        # As fast as allowed if nothing holds the arm ...
        free = here + clamp("speed", wanted - here, _shortened(wanted - here, self.max_speed / self.speed_per_error))
        harder = self.max_acceleration / self.speed_per_error * self.period
        free = held + clamp("acceleration", free - held, _shortened(free - held, harder))
        # ... or a little further than before.
        further = held + _shortened(wanted - held, self.max_speed * self.period)
        position = min(free, further, key=lambda place: float(np.linalg.norm(wanted - place)))

        # What moved since is the arm: neither may it be pulled out of where it may be, nor by more than a step.
        position = here + clamp("step", position - here, _shortened(position - here, self.max_step))
        if not self._touches(measured):
            slowed = np.append(position[:2], max(position[2], here[2] - self._deepest(measured)))
            position = clamp("approach", position, slowed)
        box = np.minimum(self.low, here), np.maximum(self.high, here)
        self._reference = position = clamp("workspace", position, np.clip(position, *box))

        start = measured.hand_orientation if self._orientation is None else self._orientation
        turn = multiply(target.orientation, conjugate(start))
        turn = clamp("turn rate", turn, _turned_at_most(turn, self.max_turn_rate * self.period))
        reference = multiply(turn, start)
        ahead = multiply(reference, conjugate(measured.hand_orientation))
        ahead = clamp("turn", ahead, _turned_at_most(ahead, self.limits.max_turn))
        self._orientation = _normalised(multiply(ahead, measured.hand_orientation))
        return Command(position, self._orientation, target.finger_opening, tuple(dict.fromkeys(clamped)))

    def _deepest(self, measured: Measured) -> float:
        """Return how far below the tool its reference may be while it touches nothing [m].

        At the speed of approach it is what makes that speed; for a tool that friction holds it is a step.
        """
        enough = self.max_approach / self.speed_per_error
        left = np.clip(1.0 + measured.point_velocity[2] / self.max_approach, 0.0, 1.0)
        return enough + float(left) * max(0.0, self.max_step - enough)

    def _touches(self, measured: Measured) -> bool:
        """Return whether something has held the tool up lately."""
        self._looks_untouched = 0 if measured.force[2] > TOUCH_FORCE else self._looks_untouched + 1
        return self._looks_untouched * self.period < TOUCH_TIME


def check_fits(contract: Contract, limits: SafetyLimits) -> None:
    """Refuse a policy whose workspace the limits leave no room of, or whose home is outside of it.

    Raises:
        SafetyError: It is.
    """
    step = contract.tool_step
    low = np.maximum(limits.workspace_low, step.workspace_low)
    high = np.minimum(limits.workspace_high, step.workspace_high)
    outside = np.maximum(low - step.workspace_low, step.workspace_high - high)
    if outside.max() > limits.workspace_margin or (low >= high).any():
        axis = "xyz"[int(outside.argmax())]
        raise SafetyError(
            f"safety: the policy's workspace from {step.workspace_low} to {step.workspace_high} is outside of the"
            f" limits', from {list(limits.workspace_low)} to {list(limits.workspace_high)}, along {axis}"
        )
    place = contract.home_tool
    outside = np.maximum(low - place, place - high).max()
    if outside > limits.workspace_margin or place[2] < limits.lowest:
        raise SafetyError(
            f"safety: at home the tool is at ({', '.join(f'{number:.3f}' for number in place)}) m, which the limits do"
            f" not allow: workspace from {low.tolist()} to {high.tolist()}, at least {limits.lowest:g} m high"
        )


def _nearest_on_segment(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    along = end - start
    share = float(np.clip(along @ (point - start) / max(float(along @ along), 1e-18), 0.0, 1.0))
    return start + share * along


def _normalised(quaternion: np.ndarray) -> np.ndarray:
    """Rounding adds up over thousands of products."""
    return quaternion / np.linalg.norm(quaternion)


def _shortened(vector: np.ndarray, length: float) -> np.ndarray:
    norm = float(np.linalg.norm(vector))
    return vector if norm <= length else vector * (length / norm)


def _turned_at_most(turn: np.ndarray, angle: float) -> np.ndarray:
    """Return a rotation about the same axis, by at most an angle [rad]."""
    sine, cosine = float(np.linalg.norm(turn[:3])), float(turn[3])
    wanted = 2.0 * np.arctan2(sine, abs(cosine))
    if wanted <= angle or sine == 0.0:
        return turn
    axis = turn[:3] / sine * (1.0 if cosine >= 0.0 else -1.0)
    return np.append(axis * np.sin(angle / 2), np.cos(angle / 2))
