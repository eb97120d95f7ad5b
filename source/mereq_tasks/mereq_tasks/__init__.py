# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The task suite: Isaac Lab environments on a Franka Research 3, each with a prior reward and a person's preference.

Importing this package registers the tasks with gymnasium and loads nothing heavy.
"""

from . import erase, pick_place, push_bottle

__all__ = ["erase", "pick_place", "push_bottle"]
