# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a viewer of a task should see. Nothing of it is there in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass

import torch
from isaaclab.assets import AssetBaseCfg
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.sim.spawners import SpawnerCfg
from isaaclab.utils import configclass


@dataclass
class PropState:
    """Where the props are, and their colours."""

    position: torch.Tensor
    """In the environment's frame [m]. Shape: (num_envs, num_props, 3)"""

    colour: torch.Tensor
    """Red, green and blue in [0, 1], as displayed (sRGB). Shape: (num_envs, num_props, 3)"""


@configclass
class TraceCfg:
    """The one figure of the task that tells a good policy from a bad one, drawn as a curve under the picture."""

    label: str = MISSING
    """What it is, for people."""

    unit: str = MISSING
    """Its unit."""

    func: Callable[[ManagerBasedRLEnv], torch.Tensor] = MISSING
    """Its value now, in the unit; NaN where it has none, which leaves a gap. Returns shape: (num_envs, 1)"""

    preferred: Callable[[ManagerBasedRLEnv], tuple[float, float]] = MISSING
    """What the person likes it to be; shaded."""

    limits: tuple[float, float] = MISSING
    """Ends of the axis; values beyond are drawn at the end."""


@configclass
class ViewCfg:
    """Camera, scenery and props of a task."""

    eye: tuple[float, float, float] = MISSING
    """Where the camera is, in the environment's frame [m]."""

    target: tuple[float, float, float] = MISSING
    """What it looks at, in the environment's frame [m]."""

    field_of_view: float = 40.0
    """Angle across the shorter side of the picture [deg]."""

    scenery: dict[str, AssetBaseCfg] = {}
    """What stands still and is touched by nothing, such as a floor. Without collision."""

    props: dict[str, SpawnerCfg] = {}
    """Shapes that physics knows nothing of but that show the task's own state, such as ink. Without collision."""

    place_props: Callable[[ManagerBasedRLEnv], PropState] | None = None
    """Where they are now, in the order of ``props``."""

    trace: TraceCfg = MISSING
    """The figure to watch."""
