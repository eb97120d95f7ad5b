# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Recordings in the formats of other trainers: LeRobot and robomimic."""

from .lerobot import export_lerobot
from .robomimic import export_robomimic

__all__ = [
    "export_lerobot",
    "export_robomimic",
]
