# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whatever a reset draws is within the range that its event or command names, and makes use of it, on every task.

What draws is known by its function or class: a task that draws otherwise needs a check here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils.math import euler_xyz_from_quat, wrap_to_pi

from mereq_tasks import mdp
from mereq_tasks.erase.marks import Marks
from mereq_tasks.pick_place.parcel_goal import ParcelGoal
from mereq_tasks.pick_place.starts import AZIMUTH, HIGH_POSE, LOW_POSE, START_SHARE, WRIST, reset_arm_and_parcel

pytestmark = pytest.mark.sim

Drawn = dict[str, tuple[torch.Tensor, tuple[float, float]]]
"""By name, what was drawn for each robot, and the range of that."""


def nothing(env: ManagerBasedRLEnv, **params: Any) -> Drawn:
    return {}


def joint(env: ManagerBasedRLEnv, name: str) -> torch.Tensor:
    robot = env.scene["robot"]
    return robot.data.joint_pos.torch[:, robot.joint_names.index(name)]


def joints_by_offset(
    env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, position_range: tuple[float, float], **params: Any
) -> Drawn:
    robot = env.scene[asset_cfg.name]
    assert params == {"velocity_range": (0.0, 0.0)} and (robot.data.joint_vel.torch == 0.0).all()
    offset = robot.data.joint_pos.torch - robot.data.default_joint_pos.torch
    return {name: (offset[:, robot.joint_names.index(name)], position_range) for name in asset_cfg.joint_names}


def joints_between(
    env: ManagerBasedRLEnv,
    first: dict[str, float],
    second: dict[str, float],
    limits: tuple[float, float] = (0.0, 1.0),
    **params: Any,
) -> Drawn:
    """One share for all joints of a robot."""
    shares = torch.stack([(joint(env, name) - first[name]) / (second[name] - first[name]) for name in first])
    assert (shares - shares[0]).abs().max() < 1e-4
    return {"share": (shares[0], limits)}


def pose(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> dict[str, torch.Tensor]:
    """Where an object is in its environment [m], and which way it is turned [rad]."""
    position = mdp.object_position(env, asset_cfg)
    angles = euler_xyz_from_quat(env.scene[asset_cfg.name].data.root_quat_w.torch)
    return dict(zip(("x", "y", "z", "roll", "pitch", "yaw"), (*position.T, *map(wrap_to_pi, angles)), strict=True))


def root_uniform(
    env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, pose_range: dict[str, tuple[float, float]], **params: Any
) -> Drawn:
    """Isaac Lab counts the range from where the object is by default, and leaves out what is not drawn."""
    assert params == {"velocity_range": {}}
    stands = env.scene[asset_cfg.name].cfg.init_state.pos
    defaults = dict(zip(("x", "y", "z"), stands, strict=True))
    return {
        name: (value - defaults.get(name, 0.0), pose_range.get(name, (0.0, 0.0)))
        for name, value in pose(env, asset_cfg).items()
    }


def arm_and_parcel(
    env: ManagerBasedRLEnv,
    asset_cfg: SceneEntityCfg,
    pose_range: dict[str, tuple[float, float]],
    rest_height: float,
    in_hand: float,
    at_parcel: float,
    **params: Any,
) -> Drawn:
    """The parcel counts from the environment's origin."""
    assert in_hand == at_parcel == 0.0, "easier starts are for training alone"
    ranges = {"z": (rest_height, rest_height), "roll": (0.0, 0.0), "pitch": (0.0, 0.0), **pose_range}
    arm = joints_between(env, LOW_POSE, HIGH_POSE, START_SHARE)
    turns = {"azimuth": (joint(env, "fr3_joint1"), AZIMUTH), "wrist": (joint(env, "fr3_joint7"), WRIST)}
    return {name: (value, ranges[name]) for name, value in pose(env, asset_cfg).items()} | arm | turns


def spot(goal: mdp.TableGoal) -> Drawn:
    low, high = torch.tensor(goal.cfg.area)
    assert ((goal.command >= low) & (goal.command <= high)).all()
    heading = torch.atan2(*goal.offset().T.flip(0))
    return {"distance": (goal.distance(), goal.cfg.distance), "heading": (heading, goal.cfg.heading)}


def spot_and_grip(goal: ParcelGoal) -> Drawn:
    least, most = goal.cfg.proposed_offset
    assert goal.proposal.min() < 0.0 < goal.proposal.max(), "on either side of the centre"
    assert ((least <= goal.proposal.abs()) & (goal.proposal.abs() <= most)).all(), "to the last digit"
    return spot(goal) | {"proposal": (goal.proposal.abs(), goal.cfg.proposed_offset)}


def strokes(marks: Marks) -> Drawn:
    """The ends of a bent stroke are on its axis, and its middle is at most 1 mm beside it. All is ink on the board."""
    cfg, board = marks.cfg, marks._env.cfg.scene.board
    centre, size = torch.tensor(board.init_state.pos[:2]), torch.tensor(board.spawn.size[:2])
    assert ((marks.position - centre).abs() < size / 2).all() and (marks.ink == 1.0).all()
    chord = marks.position[:, -1] - marks.position[:, 0]
    middle = marks.position[:, cfg.num_marks // 2 - 1 : cfg.num_marks // 2 + 1].mean(dim=1)
    return {
        "length": (chord.norm(dim=1), cfg.stroke_length),
        "heading": (torch.atan2(chord[:, 1], chord[:, 0]), cfg.stroke_heading),
        "x": (middle[:, 0], (cfg.centre_x[0] - 1e-3, cfg.centre_x[1] + 1e-3)),
        "y": (middle[:, 1], (cfg.centre_y[0] - 1e-3, cfg.centre_y[1] + 1e-3)),
    }


EVENTS: dict[Callable, Callable[..., Drawn]] = {
    mdp.reset_scene_to_default: nothing,
    mdp.reset_joints_by_offset: joints_by_offset,
    mdp.reset_joints_between: joints_between,
    mdp.reset_root_state_uniform: root_uniform,
    reset_arm_and_parcel: arm_and_parcel,
}
COMMANDS: dict[type, Callable[..., Drawn]] = {mdp.TableGoal: spot, ParcelGoal: spot_and_grip, Marks: strokes}


def all_that_was_drawn(env: ManagerBasedRLEnv) -> Drawn:
    found: Drawn = {}
    for event in env.event_manager.active_terms["reset"]:
        term = env.event_manager.get_term_cfg(event)
        kind = term.func if inspect.isfunction(term.func) else type(term.func)
        assert kind in EVENTS, f"say in {__name__} how to see what {kind.__name__} draws"
        found |= {f"{event}: {name}": of for name, of in EVENTS[kind](env, **term.params).items()}
    for command in env.command_manager.active_terms:
        term = env.command_manager.get_term(command)
        assert type(term) in COMMANDS, f"say in {__name__} how to see what {type(term).__name__} draws"
        found |= {f"{command}: {name}": of for name, of in COMMANDS[type(term)](term).items()}
    return found


def test_resets_draw_from_all_of_their_ranges_and_from_nothing_else(any_task):
    torch.manual_seed(0)
    resets = []
    for _ in range(10):
        any_task.env.reset()
        drawn = all_that_was_drawn(any_task.env.unwrapped)
        resets.append({name: values.clone() for name, (values, _) in drawn.items()})
    assert drawn
    for name, (_, (low, high)) in drawn.items():
        values = torch.cat([reset[name] for reset in resets])
        tolerance = 1e-6 if high > low else 1e-4  # what is not drawn may have settled
        assert low - tolerance <= values.min() and values.max() <= high + tolerance, name
        assert values.max() - values.min() >= 0.8 * (high - low), name
