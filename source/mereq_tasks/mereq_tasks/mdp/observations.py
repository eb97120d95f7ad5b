# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Observations of a tool that the robot holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import SceneEntityCfg

from ..quantity import measures
from .vectors import constant, rotate

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedEnv


@measures("m", "base", -1.0, 1.0)
def tool_position(
    env: ManagerBasedEnv,
    asset_cfg: SceneEntityCfg,
    offset: Sequence[float] = (0.0, 0.0, 0.0),
    origin: Sequence[float] = (0.0, 0.0, 0.0),
) -> torch.Tensor:
    """Returns the position of a point on a body, from an origin in the environment's frame [m].

    Args:
        env: The environment.
        asset_cfg: The robot and the one body that carries the tool.
        offset: The point in the body's frame [m].
        origin: Where the position counts from, in the environment's frame [m].

    Returns:
        Shape: (num_envs, 3)
    """
    asset, body = env.scene[asset_cfg.name], _body(asset_cfg)
    position = asset.data.body_pos_w.torch[:, body]
    rotation = asset.data.body_quat_w.torch[:, body]
    return position + rotate(rotation, offset) - env.scene.env_origins - constant(origin, position)


def tool_direction(env: ManagerBasedEnv, asset_cfg: SceneEntityCfg, direction: Sequence[float]) -> torch.Tensor:
    """Returns where a direction in the frame of the tool's body points. Shape: (num_envs, 3)."""
    return rotate(env.scene[asset_cfg.name].data.body_quat_w.torch[:, _body(asset_cfg)], direction)


@measures("m/s", "base", -3.0, 3.0)
def tool_velocity(env: ManagerBasedEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Returns the linear velocity of the tool's body [m/s]. Shape: (num_envs, 3)."""
    return env.scene[asset_cfg.name].data.body_link_lin_vel_w.torch[:, _body(asset_cfg)]


def tool_speed_share(env: ManagerBasedEnv, asset_cfg: SceneEntityCfg, full_scale: float) -> torch.Tensor:
    """Feature: speed of the tool's body as a share of a full scale [m/s]. Shape: (num_envs, 1)."""
    return tool_velocity(env, asset_cfg).norm(dim=1, keepdim=True) / full_scale


def _body(asset_cfg: SceneEntityCfg) -> int:
    return cast(list[int], asset_cfg.body_ids)[0]
