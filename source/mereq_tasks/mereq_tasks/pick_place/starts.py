# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where arm and parcel start, and the easier starts from which a policy learns to grasp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from isaaclab.managers import CurriculumTermCfg as CurrTerm
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils import configclass
from isaaclab.utils.math import quat_from_euler_xyz, sample_uniform

from .. import mdp

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedEnv, ManagerBasedRLEnv

LOW_POSE = {"fr3_joint2": 0.438, "fr3_joint4": -2.458, "fr3_joint6": 2.896}
"""Arm with the fingertips around a parcel on the table, at (0.47, 0, 0.021) m, pointing down [rad]."""

HIGH_POSE = {"fr3_joint2": 0.009, "fr3_joint4": -2.488, "fr3_joint6": 2.498}
"""The same 16 cm higher [rad]. In between the hand points down, and x is within 9 mm."""

START_SHARE = (0.5, 1.0)
"""Where between the two an episode starts: 10 to 18 cm above the table. Source, as for the two below: ours."""

AZIMUTH = (-0.2, 0.2)
"""Range of the first joint [rad]."""

WRIST = (0.485, 1.085)
"""Range of the last joint [rad]; at 0.785 the hand is square to the table."""


def reset_arm_and_parcel(
    env: ManagerBasedEnv,
    env_ids: torch.Tensor | slice,
    asset_cfg: SceneEntityCfg,
    tool_cfg: SceneEntityCfg,
    tool_offset: tuple[float, float, float],
    pose_range: dict[str, tuple[float, float]],
    rest_height: float,
    half_width: float,
    graspable_length: float,
    in_hand: float = 0.0,
    at_parcel: float = 0.0,
) -> None:
    """Puts the arm above the table and the parcel somewhere on it; or, of some robots, together.

    Args:
        env: The environment.
        env_ids: Robots to reset.
        asset_cfg: The parcel.
        tool_cfg: Robot and hand.
        tool_offset: The point between the fingertips in the hand's frame [m].
        pose_range: Range of the parcel's ``x`` and ``y`` [m] and ``yaw`` [rad] in the environment's frame.
        rest_height: Height of the parcel's middle on the table [m].
        half_width: Half the width of the parcel across the fingers [m].
        graspable_length: Length of the parcel along which it can be held [m].
        in_hand: Share of the robots that hold the parcel in the air, anywhere along its length.
        at_parcel: Share of the robots whose open fingers are around the parcel on the table.
    """
    ids = torch.arange(env.num_envs, device=env.device)[env_ids]
    kind = torch.rand(len(ids), device=env.device)
    is_held = kind < in_hand
    is_near = (kind >= in_hand) & (kind < in_hand + at_parcel)
    _place_arm(env, ids, tool_cfg, is_held, is_near, half_width)
    position, yaw = _draw_on_table(env, len(ids), pose_range, rest_height)

    between = mdp.tool_position(env, tool_cfg, tool_offset)[ids]
    along = mdp.tool_direction(env, tool_cfg, (1.0, 0.0, 0.0))[ids]
    offset = sample_uniform(-graspable_length / 2, graspable_length / 2, (len(ids), 1), env.device)
    together = between + offset * along
    is_together = (is_held | is_near).unsqueeze(1)
    position = torch.where(is_together, together, position)
    position[:, 2] = torch.where(is_near, rest_height, position[:, 2])
    yaw = torch.where(is_together.squeeze(1), torch.atan2(along[:, 1], along[:, 0]), yaw)

    parcel = env.scene[asset_cfg.name]
    level = torch.zeros_like(yaw)
    pose = torch.cat((position + env.scene.env_origins[ids], quat_from_euler_xyz(level, level, yaw)), dim=1)
    parcel.write_root_pose_to_sim_index(root_pose=pose, env_ids=ids)
    parcel.write_root_velocity_to_sim_index(root_velocity=torch.zeros(len(ids), 6, device=env.device), env_ids=ids)


def _place_arm(
    env: ManagerBasedEnv,
    ids: torch.Tensor,
    tool_cfg: SceneEntityCfg,
    is_held: torch.Tensor,
    is_near: torch.Tensor,
    half_width: float,
) -> None:
    robot = env.scene[tool_cfg.name]
    position = robot.data.default_joint_pos.torch[ids].clone()
    share = sample_uniform(*START_SHARE, (len(ids),), env.device)
    share = torch.where(is_held, sample_uniform(0.1, 1.0, (len(ids),), env.device), share)
    share = torch.where(is_near, 0.0, share)
    mdp.set_between(position, robot.joint_names, LOW_POSE, HIGH_POSE, share)
    for name, limits in (("fr3_joint1", AZIMUTH), ("fr3_joint7", WRIST)):
        position[:, robot.joint_names.index(name)] = sample_uniform(*limits, (len(ids),), env.device)
    for name in ("fr3_finger_joint1", "fr3_finger_joint2"):
        finger = robot.joint_names.index(name)
        position[:, finger] = torch.where(is_held, half_width, position[:, finger])
    robot.write_joint_position_to_sim_index(position=position, env_ids=ids)
    robot.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(position), env_ids=ids)


def _draw_on_table(
    env: ManagerBasedEnv, count: int, pose_range: dict[str, tuple[float, float]], rest_height: float
) -> tuple[torch.Tensor, torch.Tensor]:
    x, y, yaw = (sample_uniform(*pose_range[name], (count,), env.device) for name in ("x", "y", "yaw"))
    return torch.stack((x, y, torch.full_like(x, rest_height)), dim=1), yaw


def fade_out(env: ManagerBasedRLEnv, env_ids: Sequence[int], value: float, start: float, steps: int) -> float:
    """Curriculum: returns a share that falls to 0 in a straight line.

    Args:
        env: The environment, which counts its steps.
        env_ids: Not used; Isaac Lab tells a term which robots are reset.
        value: Not used; Isaac Lab tells a term what the parameter is now.
        start: The share at first.
        steps: Steps of the environment after which it is 0.
    """
    return start * max(0.0, 1.0 - env.common_step_counter / steps)


def _fading(name: str, start: float) -> CurrTerm:
    return CurrTerm(
        func=mdp.modify_term_cfg,
        params={
            "address": f"events.reset_arm_and_parcel.params.{name}",
            "modify_fn": fade_out,
            "modify_params": {"start": start, "steps": 1000},
        },
    )


@configclass
class TrainingCurriculumCfg:
    """Easier starts, fewer and fewer over 1,000 steps: grasping is found from what comes after it.

    Source: ours; the guide's demonstrations are over by then as well.
    """

    in_hand = _fading("in_hand", 0.4)
    at_parcel = _fading("at_parcel", 0.3)
