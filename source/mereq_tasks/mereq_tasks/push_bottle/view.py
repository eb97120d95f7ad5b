# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a viewer of Franka-PushBottle sees: the bottle, its spot, and the height at which it is pushed."""

from __future__ import annotations

import isaaclab.sim as sim_utils
import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils import configclass

from ..view import TraceCfg, ViewCfg
from ..view.spot import SPOT, place_spot
from . import mdp
from .bottle import FRICTION, BottleCfg


def push_height_cm(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns the height at which the fingertips push the bottle [cm]; NaN while they do not. Shape: (num_envs, 1)."""
    tool = SceneEntityCfg("robot", body_names="fingertips")
    tool.resolve(env.scene)
    height = 100.0 * mdp.push_height(env, "contact", SceneEntityCfg("bottle"), tool)
    return torch.where(height > 0.0, height, torch.nan)


def near_the_base(env: ManagerBasedRLEnv) -> tuple[float, float]:
    """Returns the heights [cm] at which no friction μ that the task draws tips it: below its radius by μ."""
    return 0.0, 100.0 * BottleCfg().radius / max(FRICTION)


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
        label="height of the push", unit="cm", func=push_height_cm, preferred=near_the_base, limits=(0.0, 20.0)
    )
