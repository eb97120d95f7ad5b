# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Every command passes here. What is merely too much is clamped; what should not be at all stops the arm.

The arm follows a target like a damped spring: where ``error`` is the distance from the measured place to the reference,
which is what is sent, the tool settles at the speed ``stiffness / damping * error``. So a limit of speed is one of the
error. An arm that lags, since friction or a board holds it, may be pulled harder, as fast as the limit of speed lets
the reference move on, up to a step. Pulling less is never limited.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields

import numpy as np

from ..action import Target
from ..contract import Contract, ToolStep
from ..contract_checks import MOST_OPEN
from ..state import conjugate, multiply
from .limits import JOINT_HIGH, JOINT_LOW, JOINT_SPEED, SafetyLimits

CONTROL_RATE_HZ = 200.0
"""How often the arm is looked at and the reference moves [Hz]."""


CONTACT_TIME = 0.05
"""Time over which force and torque are averaged for the limits of lasting contact [s]."""

WRONG_WAY_TIME = 0.25
"""Time for which a force may point where the arm pulls [s]: what a tool touches pushes back."""

WRONG_WAY_FORCE, WRONG_WAY_ERROR, WRONG_WAY_COSINE = 5.0, 0.01, 0.8
"""From which force [N], distance to the reference [m] and cosine between both that is looked at."""


class Violation(Exception):
    """The arm has to stop now. The message is one line, with the numbers."""


@dataclass(frozen=True)
class Measured:
    """What the safety layer reads off the arm."""

    tool_position: np.ndarray
    """Shape: (3,) [m]"""

    point_velocity: np.ndarray
    """Of the same point. Shape: (3,) [m/s]"""

    hand_orientation: np.ndarray
    """Shape: (4,) [xyzw]"""

    joint_position: np.ndarray
    """Shape: (7,) [rad]"""

    joint_speed: np.ndarray
    """Shape: (7,) [rad/s]"""

    force: np.ndarray
    """On the tool, as it is now, not averaged. Shape: (3,) [N]"""

    joint_torque: np.ndarray
    """External torque on each joint. Shape: (7,) [N m]"""

    age: float
    """Time since it was measured [s]."""


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
        """
        share = limits.first_speed if speed is None else speed
        if not 0.0 < share <= 1.0:
            raise ValueError(f"speed is {speed}; it must be above 0 and at most 1")
        (tool,) = (term for term in contract.action if isinstance(term, ToolStep))
        self.limits = limits
        self.low = np.maximum(limits.workspace_low, tool.workspace_low)
        self.high = np.minimum(limits.workspace_high, tool.workspace_high)
        self.max_speed = share * limits.max_speed
        self.max_acceleration = share * limits.max_acceleration
        self.max_turn_rate = share * limits.max_turn_rate
        self.period = 1.0 / rate_hz
        self.stop_speed = max(limits.stop_speed, 2.0 * self.max_speed)
        stiffness, damping = (
            np.asarray(gains[:3]) for gains in (contract.controller.stiffness, contract.controller.damping)
        )
        self.speed_per_error = float(np.max(stiffness / damping))
        # A step is also a force, and a stiffer controller must not press harder.
        self.max_step = min(limits.max_step, limits.max_force / float(np.max(stiffness)))
        self._contacts: deque[np.ndarray] = deque(maxlen=max(1, round(CONTACT_TIME * rate_hz)))
        self._wrong_way_looks = 0
        self._reference: np.ndarray | None = None
        self._orientation: np.ndarray | None = None

    def watch(self, measured: Measured, motion_time: float = 0.0, in_workspace: bool = True) -> None:
        """Look at the arm alone.

        Args:
            measured: The arm.
            motion_time: How long the motion has lasted [s].
            in_workspace: Whether the tool has to be inside the workspace.

        Raises:
            Violation: Something is beyond its limit, or not a number.
        """
        limits = self.limits
        for reading in fields(measured):
            value = getattr(measured, reading.name)
            if not np.isfinite(value).all():
                raise Violation(f"the arm reports {reading.name.replace('_', ' ')} {value}")
        if abs(np.linalg.norm(measured.hand_orientation) - 1.0) > 1e-3:
            raise Violation(f"the arm reports hand orientation {measured.hand_orientation}, which is no rotation")
        if measured.age > limits.max_state_age:
            raise Violation(f"the arm's state is {measured.age:.3f} s old, at most {limits.max_state_age} s is allowed")
        if motion_time > limits.max_motion:
            raise Violation(f"the motion lasts {motion_time:.1f} s, at most {limits.max_motion} s is allowed")
        self._watch_contact(measured)
        speed = float(np.linalg.norm(measured.point_velocity))
        if speed > self.stop_speed:
            raise Violation(f"the tool moves at {speed:.2f} m/s, at most {self.stop_speed:.2f} are allowed")
        if in_workspace and measured.tool_position[2] < limits.lowest:
            raise Violation(
                f"the tool is at a height of {measured.tool_position[2]:.3f} m, at least {limits.lowest} m is allowed"
            )
        outside = np.maximum(self.low - measured.tool_position, measured.tool_position - self.high)
        if in_workspace and outside.max() > limits.workspace_margin:
            axis = "xyz"[int(outside.argmax())]
            raise Violation(
                f"tool is {outside.max():.3f} m outside the workspace along {axis}, at most"
                f" {limits.workspace_margin} m is allowed"
            )
        for joint in range(7):
            position, speed = measured.joint_position[joint], abs(measured.joint_speed[joint])
            low, high = JOINT_LOW[joint] + limits.joint_margin, JOINT_HIGH[joint] - limits.joint_margin
            if not low <= position <= high:
                raise Violation(f"joint {joint + 1} is at {position:.3f} rad, {low:.3f} to {high:.3f} are allowed")
            allowed = limits.velocity_share * JOINT_SPEED[joint]
            if speed > allowed:
                raise Violation(f"joint {joint + 1} moves at {speed:.2f} rad/s, at most {allowed:.2f} are allowed")

    def _watch_contact(self, measured: Measured) -> None:
        """Compare force and torque with their limits, as they are and as they were for a while."""
        limits = self.limits
        self._contacts.append(np.append(measured.force, measured.joint_torque))
        for values, factor, when in (
            (self._contacts[-1], limits.peak_factor, "for a moment"),
            (np.mean(self._contacts, axis=0), 1.0, f"over {CONTACT_TIME} s"),
        ):
            force, torques = float(np.linalg.norm(values[:3])), np.abs(values[3:])
            if force > factor * limits.max_force:
                raise Violation(
                    f"force on the tool is {force:.1f} N, at most {factor * limits.max_force} N is allowed {when}"
                )
            joint = int((torques / limits.max_joint_torque).argmax())
            if torques[joint] > factor * limits.max_joint_torque[joint]:
                raise Violation(
                    f"external torque on joint {joint + 1} is {torques[joint]:.1f} N m, at most"
                    f" {factor * limits.max_joint_torque[joint]} are allowed {when}"
                )
        if self._points_where_it_pulls(measured):
            raise Violation(
                f"a force of {np.linalg.norm(measured.force):.1f} N on the tool points where the arm pulls:"
                " somebody pulls it along, or the sign of the force is wrong"
            )

    def _points_where_it_pulls(self, measured: Measured) -> bool:
        """Return whether force and pull have had the same direction for a while."""
        if self._reference is None:
            return False
        pull = self._reference - measured.tool_position
        distance, force = float(np.linalg.norm(pull)), float(np.linalg.norm(measured.force))
        is_alike = (
            distance > WRONG_WAY_ERROR
            and force > WRONG_WAY_FORCE
            and float(pull @ measured.force) > WRONG_WAY_COSINE * distance * force
        )
        self._wrong_way_looks = self._wrong_way_looks + 1 if is_alike else 0
        return self._wrong_way_looks * self.period > WRONG_WAY_TIME

    def watch_start(self, measured: Measured) -> None:
        """Look at the arm before it begins to follow, where it touches nothing.

        Raises:
            Violation: It feels a force all the same.
        """
        force = float(np.linalg.norm(measured.force))
        if force > self.limits.max_start_force:
            raise Violation(
                f"the arm feels {force:.1f} N before it touches anything, at most {self.limits.max_start_force} N is"
                " allowed: is the mass of the tool set?"
            )

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
