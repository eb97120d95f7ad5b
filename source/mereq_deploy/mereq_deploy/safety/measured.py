# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the safety layer reads off the arm, and what it raises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

AT_REST = 0.02
"""Joint speed below which an arm is at rest [rad/s]."""


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

    hand_age: float = 0.0
    """Time since the hand was read [s]; 0 where the policy does not move it."""
