# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What an arm feels where it touches nothing: the zero of its forces, if it is plausible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .limits import SafetyLimits
from .measured import AT_REST, Measured, Violation

MOST_SPREAD = 1.0
"""Of the force while it is measured, greatest standard deviation [N]. Source: ours; the data sheet has 0.05."""


@dataclass(frozen=True)
class Tare:
    """What is subtracted from forces and torques."""

    force: np.ndarray
    """[N]. Shape: (3,)"""

    joint_torque: np.ndarray
    """[N m]. Shape: (7,)"""

    @staticmethod
    def none() -> Tare:
        """Subtract nothing."""
        return Tare(np.zeros(3), np.zeros(7))

    @staticmethod
    def of(readings: Sequence[Measured], limits: SafetyLimits) -> Tare:
        """Take the mean of readings of an arm that stands and touches nothing.

        Args:
            readings: Of a quarter of a second or so.
            limits: The least that cannot be is in ``max_start_force``, for torques in the same share of their limits.

        Raises:
            Violation: The arm moves, or what it feels is too much or too unsteady to be nothing.
        """
        speed = float(np.abs([reading.joint_speed for reading in readings]).mean(axis=0).max())
        if not speed <= AT_REST:  # true for NaN as well
            raise Violation(f"the arm moves at {speed:.3f} rad/s before the motion begins; it must stand")
        forces = np.array([reading.force for reading in readings])
        torques = np.array([reading.joint_torque for reading in readings])
        force, torque = forces.mean(axis=0), torques.mean(axis=0)
        size, spread = float(np.linalg.norm(force)), float(forces.std(axis=0).max())
        if not size <= limits.max_start_force:
            raise Violation(
                f"the arm feels {size:.1f} N before it touches anything, at most {limits.max_start_force} N is"
                " allowed: is the mass of the tool right, and does nothing touch it?"
            )
        if not spread <= MOST_SPREAD:
            raise Violation(
                f"the force on the resting arm varies by {spread:.1f} N, at most {MOST_SPREAD} N is allowed:"
                " does something touch it?"
            )
        most = np.asarray(limits.max_joint_torque) * limits.max_start_force / limits.max_force
        joint = int((np.abs(torque) / most).argmax())
        if not abs(torque[joint]) <= most[joint]:
            raise Violation(
                f"joint {joint + 1} feels {abs(torque[joint]):.1f} N m before the arm touches anything, at most"
                f" {most[joint]:.1f} N m is allowed: is the mass of the tool right, and does nothing touch the arm?"
            )
        return Tare(force, torque)

    def applied(self, measured: Measured) -> Measured:
        """Return a reading less what the arm feels at rest."""
        return replace(
            measured, force=measured.force - self.force, joint_torque=measured.joint_torque - self.joint_torque
        )
