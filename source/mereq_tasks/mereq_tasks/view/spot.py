# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The mark on the table where an object is to go."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedRLEnv

from .view_cfg import PropState

SPOT = (0.93, 0.60, 0.08)
"""Colour of the mark."""


def place_spot(env: ManagerBasedRLEnv) -> PropState:
    """Returns the mark at the task's command ``goal``, a hair above the table."""
    goal = env.command_manager.get_term("goal").command
    position = torch.cat((goal, torch.full_like(goal[:, :1], 5e-4)), dim=1).unsqueeze(1)
    return PropState(position, position.new_tensor(SPOT).expand_as(position))
