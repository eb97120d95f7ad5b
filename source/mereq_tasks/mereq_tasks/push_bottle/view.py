# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a viewer of Franka-PushBottle sees: the bottle, its spot, and the height at which it is pushed."""

from __future__ import annotations

import isaaclab.sim as sim_utils
import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils import configclass

from ..view import PropState, TraceCfg, ViewCfg
from . import mdp
from .bottle import BottleCfg

SPOT = (0.93, 0.60, 0.08)
"""Colour of the mark on the table."""


def place_spot(env: ManagerBasedRLEnv) -> PropState:
    """Returns the mark where the bottle is to go, a hair above the table."""
    goal = env.command_manager.get_term("goal").command
    position = torch.cat((goal, torch.full_like(goal[:, :1], 5e-4)), dim=1).unsqueeze(1)
    return PropState(position, position.new_tensor(SPOT).expand_as(position))


def push_height_cm(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns the height at which the fingertips push [cm]; 0 while they touch nothing. Shape: (num_envs, 1)."""
    tool = SceneEntityCfg("robot", body_names="fingertips")
    tool.resolve(env.scene)
    return 100.0 * mdp.push_height(env, "contact", tool)


@configclass
class PushBottleViewCfg(ViewCfg):
    """From the right and a little from the front, where the height of the fingertips is seen best."""

    eye = (1.05, -0.95, 0.55)
    target = (0.46, 0.0, 0.16)
    field_of_view = 38.0
    props = {
        "Spot": sim_utils.CylinderCfg(
            radius=1.3 * BottleCfg().radius,
            height=1e-3,
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=SPOT),
        )
    }
    place_props = place_spot
    trace = TraceCfg(
        label="height of the push", unit="cm", func=push_height_cm, preferred=(1.0, 6.0), limits=(0.0, 20.0)
    )
