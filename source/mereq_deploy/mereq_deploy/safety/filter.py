# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Every command passes here. What is merely too much is clamped; what should not be at all stops the arm.

The arm follows a target like a damped spring: where ``error`` is the distance from the measured position to the target,
the tool settles at the speed ``stiffness / damping * error``. So a limit of speed is a limit of that distance.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from ..action import Target
from ..contract import Contract, ToolStep
from ..state import conjugate, multiply
from .limits import JOINT_HIGH, JOINT_LOW, JOINT_SPEED, SafetyLimits


class Violation(Exception):
    """The arm has to stop now. The message is one line, with the numbers."""


@dataclass(frozen=True)
class Measured:
    """What the safety layer reads off the arm."""

    tool_position: np.ndarray
    """Shape: (3,) [m]"""

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

    def __init__(self, limits: SafetyLimits, contract: Contract, speed: float | None = None) -> None:
        """Begin a motion.

        Args:
            limits: The limits.
            contract: Of the policy: its workspace, gains and rate.
            speed: Share of the largest speed and acceleration; that of a first run when left out.

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
        self.max_speed_change = share * limits.max_acceleration / contract.rate_hz
        self.max_turn = share * limits.max_turn_rate
        gains = contract.controller
        self.speed_per_error = float(np.min(np.asarray(gains.stiffness[:3]) / np.asarray(gains.damping[:3])))
        self.turn_rate_per_error = float(np.min(np.asarray(gains.stiffness[3:]) / np.asarray(gains.damping[3:])))
        self._velocity = np.zeros(3)

    def watch(self, measured: Measured, motion_time: float = 0.0) -> None:
        """Look at the arm alone.

        Args:
            measured: The arm.
            motion_time: How long the motion has lasted [s].

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
        force = float(np.linalg.norm(measured.force))
        if force > limits.max_force:
            raise Violation(f"force on the tool is {force:.1f} N, at most {limits.max_force} N is allowed")
        outside = np.maximum(self.low - measured.tool_position, measured.tool_position - self.high)
        if outside.max() > limits.workspace_margin:
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
            torque = abs(measured.joint_torque[joint])
            if torque > limits.max_joint_torque:
                raise Violation(
                    f"external torque on joint {joint + 1} is {torque:.1f} N m, at most {limits.max_joint_torque} are"
                    " allowed"
                )

    def command(self, target: Target, measured: Measured) -> Command:
        """Return what may be sent of what the policy asks for.

        Args:
            target: What the policy asks for.
            measured: The arm; :meth:`watch` has passed it.

        Raises:
            Violation: The target is not a number.
        """
        if not (np.isfinite(target.position).all() and np.isfinite(target.orientation).all()):
            raise Violation(f"the policy asks for {target.position}, {target.orientation}")
        clamped: list[str] = []

        def clamp(name: str, value: np.ndarray, limited: np.ndarray) -> np.ndarray:
            if not np.allclose(value, limited, rtol=0.0, atol=1e-12):
                clamped.append(name)
            return limited

        position = clamp("workspace", target.position, np.clip(target.position, self.low, self.high))
        error = position - measured.tool_position
        error = clamp("step", error, _shortened(error, self.limits.max_step))
        velocity = error * self.speed_per_error
        velocity = clamp("speed", velocity, _shortened(velocity, self.max_speed))
        change = _shortened(velocity - self._velocity, self.max_speed_change)
        velocity = clamp("acceleration", velocity, self._velocity + change)
        # Braking must not carry the tool out of where it may be: the box is the harder limit.
        position = measured.tool_position + velocity / self.speed_per_error
        inside = np.clip(
            position, np.minimum(self.low, measured.tool_position), np.maximum(self.high, measured.tool_position)
        )
        position = clamp("workspace", position, inside)
        self._velocity = (position - measured.tool_position) * self.speed_per_error

        turn = multiply(target.orientation, conjugate(measured.hand_orientation))
        orientation = multiply(
            clamp("turn rate", turn, _turned_at_most(turn, self.max_turn / self.turn_rate_per_error)),
            measured.hand_orientation,
        )
        return Command(position, orientation, target.finger_opening, tuple(dict.fromkeys(clamped)))


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
