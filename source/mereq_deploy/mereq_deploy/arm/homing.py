# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The way home: all joints along a straight line, led by a damped spring.

The library's own joint motions are planned on the arm's clock: where the machine is busy and a few of the thousand
packets a second are late, the next one asks for a jump, and the arm aborts the motion. The controller with strict
checks did so (``joint_motion_generator_velocity_discontinuity``). A spring's torque does not jump.
"""

from __future__ import annotations

import math
import time

import franky
import numpy as np

from ..safety import SafetyLimits

STIFFNESS = np.array([600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 100.0])
"""Of each joint [N m/rad]. Source: libfranka's joint impedance example, with a stiffer last joint against friction."""

SETTLING_TIME = 0.5
"""Time for which the spring holds the end of the way [s]."""


class Homing:
    """Leads an arm home at a bounded speed; :meth:`is_over` has to be called again and again."""

    def __init__(self, robot: franky.Robot, home: np.ndarray, limits: SafetyLimits, speed: float) -> None:
        """Begin.

        Args:
            robot: The arm, at rest.
            home: Joint positions at the end [rad]. Shape: (7,)
            limits: Speed and acceleration of the joints at full speed.
            speed: Share of them, in (0, 1].
        """
        self._start, self._home = np.asarray(robot.state.q), home
        way = float(np.abs(home - self._start).max())
        self._profile = Profile(way, speed * limits.home_speed, speed * limits.home_acceleration)
        self._way = max(way, 1e-9)
        self._tracker = franky.JointImpedanceTracker(
            robot, stiffness=STIFFNESS, damping=2.0 * np.sqrt(STIFFNESS), period=None
        )
        self._began = time.monotonic()

    def is_over(self) -> bool:
        """Move the reference on; returns whether the arm has come home, or stopped by itself."""
        elapsed = time.monotonic() - self._began
        share = self._profile.at(elapsed) / self._way
        self._tracker.set_target(self._start + min(share, 1.0) * (self._home - self._start))
        return elapsed >= self._profile.duration + SETTLING_TIME or not self._tracker.is_running

    def hold(self, position: np.ndarray) -> None:
        """Ask for where the arm is now: what pulls it is let go, and damping is left. Shape: (7,) [rad]."""
        self._tracker.set_target(position)

    @property
    def is_running(self) -> bool:
        """Whether the arm is led."""
        return self._tracker.is_running

    def stop(self) -> None:
        """Let go of the arm.

        Raises:
            franky.Exception: It had stopped by itself.
        """
        self._tracker.stop()


class Profile:
    """A way that is gone with limited speed and acceleration, from rest to rest."""

    def __init__(self, length: float, speed: float, acceleration: float) -> None:
        """Plan it: faster and faster, then evenly, then slower and slower; a short way is never gone at full speed."""
        self._length, self._acceleration = length, acceleration
        self._speed = min(speed, math.sqrt(length * acceleration))
        self._ramp = self._speed / acceleration
        self.duration = self._ramp + (length / self._speed if length > 0.0 else 0.0)
        """[s]"""

    def at(self, elapsed: float) -> float:
        """Return how far it is after a time [s]."""
        if elapsed >= self.duration:
            return self._length
        if elapsed < self._ramp:
            return 0.5 * self._acceleration * elapsed**2
        left = self.duration - elapsed
        if left < self._ramp:
            return self._length - 0.5 * self._acceleration * left**2
        return self._speed * (elapsed - 0.5 * self._ramp)
