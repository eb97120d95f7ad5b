# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Puts the object of a task somewhere."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from isaaclab.envs import ManagerBasedRLEnv


def place(
    env: ManagerBasedRLEnv, name: str, position: Sequence[float], rotation: Sequence[float] = (0.0, 0.0, 0.0, 1.0)
) -> None:
    """Puts the object of that name, of all robots, at a place in its environment [m], turned [xyzw], at rest."""
    pose = torch.tensor([*position, *rotation]).repeat(env.num_envs, 1)
    pose[:, :3] += env.scene.env_origins
    env.scene[name].write_root_pose_to_sim_index(root_pose=pose)
    env.scene[name].write_root_velocity_to_sim_index(root_velocity=torch.zeros(env.num_envs, 6))
    env.sim.forward()
