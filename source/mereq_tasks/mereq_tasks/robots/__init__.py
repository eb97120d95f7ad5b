# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Robots of the task suite."""

from .fr3 import (
    ARM_JOINTS,
    FINGER_JOINTS,
    FR3_ERASER_CFG,
    FR3_GRIPPER_CFG,
    FR3_HAND_PRIM,
    FR3_PUSHER_CFG,
    TOOL_DOWN_POSE,
    in_pose,
)

__all__ = [
    "ARM_JOINTS",
    "FINGER_JOINTS",
    "FR3_ERASER_CFG",
    "FR3_GRIPPER_CFG",
    "FR3_HAND_PRIM",
    "FR3_PUSHER_CFG",
    "TOOL_DOWN_POSE",
    "in_pose",
]
