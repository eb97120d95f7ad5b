# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a viewer of Franka-PickPlace sees: the parcel, its spot, and how far from its centre it is gripped."""

from __future__ import annotations

import isaaclab.sim as sim_utils
import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.utils import configclass

from ..view import TraceCfg, ViewCfg
from ..view.spot import SPOT, place_spot
from . import mdp


def grasp_offset_cm(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns how far from its centre the parcel is gripped [cm]; NaN while it is not. Shape: (num_envs, 1)."""
    offset = 100.0 * mdp.grasp_offset_share(env, full_scale=1.0)
    return torch.where(mdp.gripped(env).unsqueeze(1) > 0.0, offset, torch.nan)


def at_the_centre(env: ManagerBasedRLEnv) -> tuple[float, float]:
    """Returns the offsets that a person would call centred [cm]: up to half the width of a fingertip and a little."""
    return 0.0, 1.0


@configclass
class PickPlaceViewCfg(ViewCfg):
    """From the front right and above, where the parcel's length is seen."""

    eye = (1.15, -0.55, 0.65)
    target = (0.46, 0.0, 0.12)
    field_of_view = 38.0
    props = {
        "Spot": sim_utils.CylinderCfg(
            radius=0.06, height=1e-3, visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=SPOT)
        )
    }
    place_props = place_spot
    trace = TraceCfg(
        label="grip off the centre", unit="cm", func=grasp_offset_cm, preferred=at_the_centre, limits=(0.0, 8.0)
    )
