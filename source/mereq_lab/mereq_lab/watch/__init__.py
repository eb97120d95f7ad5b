# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Follows a run: on the terminal, and in TensorBoard."""

from .console import ConsoleDisplay, evaluation_table
from .tensorboard_log import TensorBoardLog, log_video

__all__ = [
    "ConsoleDisplay",
    "TensorBoardLog",
    "evaluation_table",
    "log_video",
]
