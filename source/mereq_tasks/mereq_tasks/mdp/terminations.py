# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terminations that every task needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from isaaclab.managers import SceneEntityCfg

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


def non_finite_state(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, max_joint_vel: float) -> torch.Tensor:
    """Ends the episode of a robot whose physics broke: a joint state that is not finite, or absurdly fast.

    The transition of that step carries the broken numbers: the replay buffer refuses what is not finite. What is finite
    but absurd is stored, within the clips of the observations, as a terminated step, which does not bootstrap. The
    environment tells of it in ``extras["broken"]``; see :class:`~mereq_tasks.task_env.TaskEnv`.

    Args:
        env: The environment.
        asset_cfg: The robot.
        max_joint_vel: Joint speed beyond which the state counts as broken [rad/s].

    Returns:
        Shape: (num_envs,)
    """
    data = env.scene[asset_cfg.name].data
    # NaN compares false, so "not within" catches NaN, infinity and nonsense at once.
    sane = (data.joint_vel.torch.abs() <= max_joint_vel) & torch.isfinite(data.joint_pos.torch)
    return ~sane.all(dim=1)
