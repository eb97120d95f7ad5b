# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Resets that tasks share."""

from __future__ import annotations

from collections.abc import Sequence
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
    set_between(position, robot.joint_names, first, second, share)
    robot.write_joint_position_to_sim_index(position=position, env_ids=env_ids)
    robot.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(position), env_ids=env_ids)


def set_between(
    position: torch.Tensor,
    joint_names: Sequence[str],
    first: dict[str, float],
    second: dict[str, float],
    share: torch.Tensor,
) -> None:
    """Sets joint positions to a point of the straight line between two poses.

    Args:
        position: Joint positions, changed in place [rad]. Shape: (num_robots, num_joints)
        joint_names: Names of its columns.
        first: Joint positions at one end, by joint name [rad]; other joints are left as they are.
        second: Joint positions at the other end [rad].
        share: How far along, from 0 to 1. Shape: (num_robots,)
    """
    for name in first:
        position[:, joint_names.index(name)] = first[name] + share * (second[name] - first[name])
