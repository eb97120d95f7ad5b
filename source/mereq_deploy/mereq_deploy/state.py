# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What is known of the arm and of the things around it when a policy decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import UserError

Vector = np.ndarray


class MissingStateError(UserError):
    """A policy needs something that nobody measures. The message is one line."""


@dataclass
class ArmState:
    """The arm as measured, along the axes of its base."""

    tool_position: Vector
    """Where the tool's point is [m]. Shape: (3,)"""

    tool_velocity: Vector
    """Velocity of the tool's other point [m/s]. Shape: (3,)"""

    hand_orientation: Vector
    """Of the hand [xyzw]. Shape: (4,)"""

    force: Vector
    """Force of the surroundings on the tool, mean since the last action [N]. Shape: (3,)"""

    finger_opening: float = 0.0
    """Distance between the fingertips [m]."""

    is_gripping: bool = False
    """Whether both fingers press on something."""


@dataclass
class ObjectState:
    """A thing on the table, as whatever watches it reports it."""

    position: Vector
    """Shape: (3,) [m]"""

    orientation: Vector
    """Shape: (4,) [xyzw]"""

    velocity: Vector
    """Shape: (3,) [m/s]"""


@dataclass
class Scene:
    """Everything that an observation is made of."""

    arm: ArmState
    start_position: Vector
    """Where the tool's point was when the episode began [m]. Shape: (3,)"""

    object: ObjectState | None = None
    goal: Vector | None = None
    """Where the object is to go [m]. Shape: (2,)"""

    grasp_proposal: float | None = None
    """Where to grip the object along its own x axis, from its centre [m]: a grasp detector's word, and once it is
    gripped, where that was first."""

    memory: dict[str, Any] = field(default_factory=dict)
    """What a task remembers of its episode, by name: for Franka-Erase the marks."""


def rotate(orientation: Vector, vector: Vector) -> Vector:
    """Rotate a vector by a quaternion [xyzw]: v + 2 u × (u × v + w v)."""
    axis, w = orientation[:3], orientation[3]
    return vector + 2.0 * np.cross(axis, np.cross(axis, vector) + w * vector)


def matrix(orientation: Vector) -> np.ndarray:
    """Return the rotation matrix of a unit quaternion [xyzw]. Shape: (3, 3)."""
    return np.stack([rotate(orientation, axis) for axis in np.eye(3)], axis=1)


def multiply(a: Vector, b: Vector) -> Vector:
    """Return the product of two quaternions [xyzw]: the rotation b, then a."""
    axis = a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3])
    return np.append(axis, a[3] * b[3] - a[:3] @ b[:3])


def conjugate(orientation: Vector) -> Vector:
    """Return the inverse of a unit quaternion [xyzw]."""
    return np.append(-orientation[:3], orientation[3])
