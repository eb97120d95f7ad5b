# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Observations, rewards and features that only Franka-PickPlace has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from isaaclab.managers import SceneEntityCfg

from .. import mdp
from ..quantity import measures
from .parcel_goal import ParcelGoal

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


@measures("m", "none", 0.0, 0.1)
def finger_opening(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Returns the distance between the fingertips [m]. Shape: (num_envs, 1)."""
    position = env.scene[asset_cfg.name].data.joint_pos.torch[:, asset_cfg.joint_ids]
    return position.sum(dim=1, keepdim=True)


@measures("1", "none", 0.0, 1.0)
def grip_flag(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns 1 where both fingers press on something, else 0; the arm itself knows. Shape: (num_envs, 1)."""
    return _goal(env).is_pressing().float().unsqueeze(1)


@measures("1", "base", -1.0, 1.0)
def parcel_axis(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns the direction of the parcel's length, of its two ends that in front of the hand. Shape: (num_envs, 3)."""
    return _goal(env).axis()


@measures("1", "base", -1.0, 1.0)
def hand_axis(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Returns where the hand's x axis points over the table: along the parcel when it grips. Shape: (num_envs, 2)."""
    return mdp.tool_direction(env, asset_cfg, (1.0, 0.0, 0.0))[:, :2]


@measures("m", "length of the parcel", -1.0, 1.0)
def place_along_length(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns how far from the parcel's centre the hand is along the parcel's length [m]. Shape: (num_envs, 1)."""
    return _goal(env).along_length().unsqueeze(1)


@measures("m", "base, from the tool", -1.0, 1.0)
def grasp_point_from_tool(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns the proposed place to grip the parcel as seen from the fingertips [m]. Shape: (num_envs, 3)."""
    return _goal(env).grasp_point_from_tool()


def grasp_offset_share(env: ManagerBasedRLEnv, full_scale: float) -> torch.Tensor:
    """Feature: how far from its centre the parcel is gripped, as a share of a full scale [m]; 0 while it is not.

    Returns:
        Shape: (num_envs, 1)
    """
    goal = _goal(env)
    offset = goal.along_length().abs() * goal.is_gripped()
    return offset.unsqueeze(1) / full_scale


@measures("1", "base", -1.0, 10.0)
def height_share(env: ManagerBasedRLEnv, full_scale: float) -> torch.Tensor:
    """Feature: height of the parcel above where it rests, as a share of a full scale [m]. Shape: (num_envs, 1)."""
    return _goal(env).height().unsqueeze(1) / full_scale


def distance_to_grasp(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Reward: distance from the fingertips to the proposed place to grip [m], for a parcel that is to be gripped.

    It is 0 while the parcel is gripped, wherever that is, and where it should be: who had to pay for being away from
    that place once it was laid down would not let go of it.

    Returns:
        Shape: (num_envs,)
    """
    goal = _goal(env)
    is_wanted = ~goal.is_gripped() & (goal.distance() > goal.cfg.success_distance)
    return goal.grasp_point_from_tool().norm(dim=1) * is_wanted


def misplaced_grip(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Reward: distance from the proposed place in the step in which the parcel is first gripped [m]; 0 in all others.

    It asks for a place once. Asked for in every step, it would be what the prior cares for while it carries.

    Returns:
        Shape: (num_envs,)
    """
    goal = _goal(env)
    return goal.grasp_point_from_tool().norm(dim=1) * goal.is_first_grip()


def misalignment(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Reward: squared sine of the angle between hand and parcel over the table. Shape: (num_envs,)."""
    hand, parcel = hand_axis(env, asset_cfg), parcel_axis(env)[:, :2]
    return (hand[:, 0] * parcel[:, 1] - hand[:, 1] * parcel[:, 0]) ** 2


def gripped(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Reward: 1 while both fingers press on the parcel. Shape: (num_envs,)."""
    return _goal(env).is_gripped().float()


def dragged(env: ManagerBasedRLEnv, clearance: float, carry_height: float, slope: float) -> torch.Tensor:
    """Reward: speed over the table of a parcel with an end that is on it, on the way to its spot [m/s].

    It fades as the lower end rises to a clearance, so that the first millimetres pay already.

    To drag it, be it by one end, is quicker than to lift it and to lay it down. Where it is to come down to its spot
    (below half of the carry height of :func:`height_error`) it costs nothing.

    Args:
        env: The environment.
        clearance: Height of the lower end above the table from which it costs nothing [m].
        carry_height: As in :func:`height_error`.
        slope: As in :func:`height_error` [m/m].

    Returns:
        Shape: (num_envs,)
    """
    goal = _goal(env)
    speed = mdp.object_velocity(env, goal.cfg.object_cfg)[:, :2].norm(dim=1)
    is_on_its_way = _wanted_height(goal, carry_height, slope) > 0.5 * carry_height
    return speed * is_on_its_way * (1.0 - goal.clearance() / clearance).clamp(0.0, 1.0)


def dragged_share(
    env: ManagerBasedRLEnv, full_scale: float, clearance: float, carry_height: float, slope: float
) -> torch.Tensor:
    """Feature: speed at which the parcel is dragged over the table, as a share of a full scale [m/s].

    It is what :func:`dragged` counts. To a policy that knows of wishes alone, dragging looks like the best way to
    carry: level, and gripped anywhere.

    Args:
        env: The environment.
        full_scale: Speed at which the feature is 1 [m/s].
        clearance: As in :func:`dragged` [m].
        carry_height: As in :func:`height_error` [m].
        slope: As in :func:`height_error` [m/m].

    Returns:
        Shape: (num_envs, 1)
    """
    return dragged(env, clearance, carry_height, slope).unsqueeze(1) / full_scale


def height_error(env: ManagerBasedRLEnv, carry_height: float, slope: float) -> torch.Tensor:
    """Reward: distance of the parcel's middle from the height that it should have where it is [m].

    Far from its spot it is to be carried at a height; near it the height falls with a slope to the table. Of its
    middle, since a parcel that is lifted off its centre turns about its lower end first, and what is asked of that end
    says nothing until it hangs free.

    Args:
        env: The environment.
        carry_height: Height above where it rests while it is carried [m].
        slope: Height over distance, near the spot [m/m].

    Returns:
        Shape: (num_envs,)
    """
    goal = _goal(env)
    return (goal.height() - _wanted_height(goal, carry_height, slope)).abs()


def _wanted_height(goal: ParcelGoal, carry_height: float, slope: float) -> torch.Tensor:
    return (slope * (goal.distance() - 0.5 * goal.cfg.success_distance)).clamp(0.0, carry_height)


def carried_near(env: ManagerBasedRLEnv, scale: float, clearance: float) -> torch.Tensor:
    """Reward: nearness of the parcel to its spot, in [0, 1], while both ends are off the table or once it is there.

    Nearness counts for nothing while it is dragged, as in Isaac Lab's own lifting task: a policy that is paid for
    bringing it nearer, no matter how, drags it, since that pays from the first centimetre on.

    Args:
        env: The environment.
        scale: Distance at which nearness has fallen to a quarter [m].
        clearance: Height of the lower end above the table from which it is off it [m].

    Returns:
        Shape: (num_envs,)
    """
    goal = _goal(env)
    counts = (goal.clearance() > clearance) | (goal.distance() < goal.cfg.success_distance)
    return counts * (1.0 - torch.tanh(goal.distance() / scale))


def near_its_place(env: ManagerBasedRLEnv, scale: float) -> torch.Tensor:
    """Reward: nearness of the parcel to where it is to lie, height and all, in [0, 1]; held or not.

    It is felt in the last few centimetres only: it leads a parcel that is carried down onto its spot.

    Args:
        env: The environment.
        scale: Distance at which nearness has fallen to a quarter [m].

    Returns:
        Shape: (num_envs,)
    """
    goal = _goal(env)
    return 1.0 - torch.tanh(torch.hypot(goal.distance(), goal.height()) / scale)


def placed(env: ManagerBasedRLEnv, width: float) -> torch.Tensor:
    """Reward: 1 for a parcel that lies on its spot, released; falls off as a Gaussian of a width [m].

    Returns:
        Shape: (num_envs,)
    """
    goal = _goal(env)
    return mdp.at_goal(env, width) * (goal.is_released() & goal.is_down())


def task_done(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Ends an episode whose parcel has been on its spot, flat and released, for half a second.

    What a hand does beside a parcel that lies where it should is nobody's business, and would be most of an episode.

    Returns:
        Shape: (num_envs,)
    """
    return _goal(env).has_rested()


def _goal(env: ManagerBasedRLEnv) -> ParcelGoal:
    return env.command_manager.get_term("goal")  # type: ignore[return-value]  # the task's own term
