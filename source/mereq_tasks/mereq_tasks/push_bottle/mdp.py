# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Observations, rewards and features that only Franka-PushBottle has."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import SceneEntityCfg

from .. import mdp
from ..quantity import measures

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

REACH = 0.07
"""Distance over the table from the middle of the bottle within which the fingertips can be at it [m]. Source:
measurement: in 4,917 steps of prior and expert in which they pushed it was 3.4 to 5.6 cm. What they feel farther away
is the table: a robot that goes down as fast as it can dips to where they reach it."""

TOUCH_FORCE = 0.2
"""Force that counts as a touch [N]. Source: ours, above the noise of a contact at rest."""


@measures("N", "none", 0.0, 100.0)
def push_force(env: ManagerBasedRLEnv, sensor: str) -> torch.Tensor:
    """Returns the force on the fingertips, mean over the step [N]; the table's as well. Shape: (num_envs, 1)."""
    forces = env.scene[sensor].data.net_forces_w_history.torch[:, :, 0]
    return forces.mean(dim=1).norm(dim=1, keepdim=True)


def push_height(
    env: ManagerBasedRLEnv, sensor: str, asset_cfg: SceneEntityCfg, tool_cfg: SceneEntityCfg
) -> torch.Tensor:
    """Returns the height above the table at which the fingertips push the bottle [m]; 0 while they do not.

    Args:
        env: The environment.
        sensor: What feels the fingertips' contacts.
        asset_cfg: The bottle.
        tool_cfg: Robot and the body that pushes.

    Returns:
        Shape: (num_envs, 1)
    """
    from_tool = mdp.object_from_tool(env, asset_cfg, tool_cfg)
    pushes = (push_force(env, sensor) > TOUCH_FORCE) & (from_tool[:, :2].norm(dim=1, keepdim=True) < REACH)
    return torch.where(pushes, mdp.tool_position(env, tool_cfg)[:, 2:], 0.0)


def push_height_share(
    env: ManagerBasedRLEnv, sensor: str, asset_cfg: SceneEntityCfg, tool_cfg: SceneEntityCfg, full_scale: float
) -> torch.Tensor:
    """Feature: height at which the fingertips push the bottle, as a share of a full scale [m]. Shape: (num_envs, 1)."""
    return push_height(env, sensor, asset_cfg, tool_cfg) / full_scale


def effort(env: ManagerBasedRLEnv, sensor: str, full_scale: float) -> torch.Tensor:
    """Feature: force on the fingertips, as a share of a full scale [N]. Shape: (num_envs, 1)."""
    return push_force(env, sensor) / full_scale


def distance_to_pushing_place(
    env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, tool_cfg: SceneEntityCfg, gap: float
) -> torch.Tensor:
    """Reward: distance over the table from the fingertips to where they push the bottle towards its spot [m].

    Their height does not matter: that is what the person minds and the prior does not.

    Args:
        env: The environment.
        asset_cfg: The bottle.
        tool_cfg: Robot and the body that pushes.
        gap: From the middle of the bottle to the middle of the fingertips when they touch [m].

    Returns:
        Shape: (num_envs,)
    """
    bottle = mdp.object_position(env, asset_cfg)[:, :2]
    towards = torch.nn.functional.normalize(mdp.goal_offset(env), dim=1)
    tool = mdp.tool_position(env, tool_cfg)[:, :2]
    return (bottle - gap * towards - tool).norm(dim=1)


@measures("m", "base, from the start", -0.5, 0.5)
def height_drift(env: ManagerBasedRLEnv, action: str) -> torch.Tensor:
    """Returns how much higher the fingertips are than when the episode began [m]. Shape: (num_envs, 1)."""
    return cast(mdp.ToolStepAction, env.action_manager.get_term(action)).drift()[:, 2:]


def leaving_the_plane(env: ManagerBasedRLEnv, action: str) -> torch.Tensor:
    """Reward: distance of the fingertips from the height at which the episode began [m]. Shape: (num_envs,)."""
    return height_drift(env, action).squeeze(1).abs()
