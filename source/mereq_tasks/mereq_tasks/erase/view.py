# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a viewer of Franka-Erase sees: ink that fades where it was pressed hard enough, and the force."""

from __future__ import annotations

from typing import cast

import isaaclab.sim as sim_utils
import torch
from isaaclab.assets import AssetBaseCfg
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.utils import configclass

from ..view import PropState, TraceCfg, ViewCfg
from . import mdp
from .erase_env_cfg import BOARD_CENTRE
from .marks import Marks, MarksCfg

INK = (0.72, 0.07, 0.16)
"""Colour of fresh ink: a red marker, like nothing else in the scene."""

BOARD = (0.95, 0.95, 0.94)
"""Colour of the board where there is none."""

INK_HEIGHT = 0.001
"""Thickness of the drawn ink above the board [m]; thin enough to look flat, thick enough not to flicker."""


def place_ink(env: ManagerBasedRLEnv) -> PropState:
    """Returns the marks in the colour of the ink that is left on them; clean ones are inside the board."""
    marks = cast(Marks, env.command_manager.get_term("marks"))
    ink = marks.ink.unsqueeze(2)
    height = torch.where(ink > 0.0, BOARD_CENTRE[2], BOARD_CENTRE[2] - 2 * INK_HEIGHT)
    colour = ink * ink.new_tensor(INK) + (1.0 - ink) * ink.new_tensor(BOARD)
    return PropState(torch.cat((marks.position, height), dim=2), colour)


def enough_force(env: ManagerBasedRLEnv) -> tuple[float, float]:
    """Returns the forces from which all ink comes off and beyond which the person minds [N]."""
    marks = cast(Marks, env.command_manager.get_term("marks")).cfg
    return marks.full_erase_force, marks.force_limit


@configclass
class EraseViewCfg(ViewCfg):
    """The board from the front right and from above, where the hand hides least of the stroke."""

    eye = (1.15, -0.45, 0.95)
    target = (0.42, 0.0, 0.14)
    field_of_view = 41.0
    scenery = {
        "floor": AssetBaseCfg(
            prim_path="{ENV_REGEX_NS}/Floor",
            init_state=AssetBaseCfg.InitialStateCfg(pos=(0.3, 0.0, -0.01)),
            spawn=sim_utils.CuboidCfg(
                size=(3.0, 3.0, 0.02),
                visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.22, 0.24, 0.27)),
            ),
        )
    }
    # Round and wider than the marks are apart, so that they look like one stroke.
    props = {
        f"Mark{i:02d}": sim_utils.CylinderCfg(
            radius=0.011, height=INK_HEIGHT, visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=INK)
        )
        for i in range(MarksCfg().num_marks)
    }
    place_props = place_ink
    trace = TraceCfg(
        label="force on the felt",
        unit="N",
        func=mdp.normal_force,
        preferred=enough_force,
        limits=(0.0, 25.0),
    )
