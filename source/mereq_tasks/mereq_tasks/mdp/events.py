# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Resets that tasks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from isaaclab.managers import SceneEntityCfg

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedEnv


def reset_joints_between(
    env: ManagerBasedEnv,
    env_ids: torch.Tensor | slice,
    first: dict[str, float],
    second: dict[str, float],
    asset_cfg: SceneEntityCfg,
) -> None:
    """Puts the arm somewhere on the straight line between two poses, at rest.

    Two poses of one tool orientation that are not far apart keep it on the way, so that the tool starts at any height.

    Args:
        env: The environment.
        env_ids: Robots to reset.
        first: Joint positions at one end, by joint name [rad]; other joints keep their default.
        second: Joint positions at the other end [rad].
        asset_cfg: The robot.
    """
    robot = env.scene[asset_cfg.name]
    position = robot.data.default_joint_pos.torch[env_ids].clone()
    share = torch.rand(len(position), device=env.device)
    for name in first:
        joint = robot.joint_names.index(name)
        position[:, joint] = first[name] + share * (second[name] - first[name])
    robot.write_joint_position_to_sim_index(position=position, env_ids=env_ids)
    robot.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(position), env_ids=env_ids)
