# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The Franka Research 3 by its data sheet: limits of its joints, and where its parts are.

Only what can be known without an arm is here, so that a contract and a way home can be checked before anything moves.
"""

from __future__ import annotations

import numpy as np

JOINT_NAMES = tuple(f"fr3_joint{i}" for i in range(1, 8))

JOINT_LOW = (-2.9007, -1.8361, -2.9007, -3.0770, -2.8763, 0.4398, -3.0508)
"""Least joint positions [rad]. Source: FR3 data sheet; the packaged URDF has the same."""

JOINT_HIGH = (2.9007, 1.8361, 2.9007, -0.1169, 2.8763, 4.6216, 3.0508)
"""Greatest joint positions [rad]."""

JOINT_SPEED = (2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26)
"""Greatest joint speeds [rad/s]."""

JOINT_TORQUE = (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)
"""Greatest joint torques [N m]."""

REACH = 0.855
"""Greatest distance of the hand from the shoulder [m]. Source: data sheet."""

MOST_LOAD = 3.0
"""Payload [kg]. Source: data sheet."""

MOST_OPEN = 0.08
"""Between the fingertips of the Franka Hand [m]. Source: its data sheet."""

FLANGE_TO_HAND_YAW = -np.pi / 4
"""The Franka Hand is mounted turned by this about the flange's z axis [rad]. Source: FR3 description."""

HAND_HALF_WIDTH = 0.102
"""Half of the hand's length along its y axis [m]. Source: mesh of the FR3 description (204 mm)."""

FINGERTIPS = (0.0, 0.0, 0.1034)
"""In the hand's frame [m]. Source: data sheet of the Franka Hand."""

LINK_RADIUS = 0.09
"""Radius of a ball around a joint's centre that holds the links beside it [m]. Source: meshes of the description."""

# Modified Denavit-Hartenberg parameters a [m], d [m], alpha [rad] of each joint, and of the flange at the end.
# Source: Franka Robotics, "Robot and interface specifications"; the FR3 has the Panda's.
_HALF = np.pi / 2
_LINKS = (
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -_HALF),
    (0.0, 0.316, _HALF),
    (0.0825, 0.0, _HALF),
    (-0.0825, 0.384, -_HALF),
    (0.0, 0.0, _HALF),
    (0.088, 0.0, _HALF),
    (0.0, 0.107, 0.0),
)


def frames(joints: np.ndarray) -> np.ndarray:
    """Return where the links and the hand are, along the axes of the base.

    Args:
        joints: Joint positions [rad]. Shape: (7,)

    Returns:
        Poses after joint 1 to 7, of the flange, and of the hand. Shape: (9, 4, 4)
    """
    pose, found = np.eye(4), []
    for (a, d, alpha), angle in zip(_LINKS, (*joints, 0.0), strict=True):
        pose = pose @ _link(a, d, alpha, float(angle))
        found.append(pose)
    found.append(pose @ _link(0.0, 0.0, 0.0, FLANGE_TO_HAND_YAW))
    return np.stack(found)


def _link(a: float, d: float, alpha: float, angle: float) -> np.ndarray:
    """Return a link's transform, in Craig's (modified) Denavit-Hartenberg convention. Shape: (4, 4)."""
    ca, sa, ct, st = np.cos(alpha), np.sin(alpha), np.cos(angle), np.sin(angle)
    return np.array(
        [
            [ct, -st, 0.0, a],
            [st * ca, ct * ca, -sa, -d * sa],
            [st * sa, ct * sa, ca, d * ca],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def in_hand(hand: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return where a point of the hand is, along the axes of the base [m].

    Args:
        hand: Pose of the hand. Shape: (4, 4)
        point: In the hand's frame [m]. Shape: (3,)
    """
    return hand[:3, :3] @ point + hand[:3, 3]


def heights(joints: np.ndarray, tool_point: np.ndarray) -> dict[str, float]:
    """Return the height of the lowest point of each part that could touch a table [m], by name.

    Args:
        joints: Joint positions [rad]. Shape: (7,)
        tool_point: The tool's point in the hand's frame [m]. Shape: (3,)
    """
    found = frames(joints)
    hand = found[8]
    ends = (in_hand(hand, np.array([0.0, side * HAND_HALF_WIDTH, 0.0658])) for side in (-1.0, 1.0))
    return {
        "tool": float(in_hand(hand, tool_point)[2]),
        "hand": float(min(end[2] for end in ends)),
        "fingertips": float(in_hand(hand, np.array(FINGERTIPS))[2]),
        "wrist": float(min(found[5, 2, 3], found[6, 2, 3])) - LINK_RADIUS,
        "elbow": float(found[3, 2, 3]) - LINK_RADIUS,
    }
