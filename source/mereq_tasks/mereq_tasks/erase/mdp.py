# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Observations, rewards and features of Franka-Erase; all read the state of the marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from ..quantity import measures
from .marks import Marks

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


def _marks(env: ManagerBasedRLEnv) -> Marks:
    return cast(Marks, env.command_manager.get_term("marks"))


@measures("m", "base, from the tool", -0.7, 0.7)
def mark_offsets(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns the marks seen from the tool [m]. Shape: (num_envs, 2 * num_marks)."""
    marks = _marks(env)
    return (marks.position - marks.tool_position()[:, None, :2]).flatten(1)


@measures(("m", "m", "1"), "base, from the tool", (-0.7, -0.7, 0.0), (0.7, 0.7, 1.0))
def nearest_untouched(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns the nearest untouched mark from the tool [m], and 1; zeros if none is left. Shape: (num_envs, 3)."""
    return _nearest(_marks(env), ~_marks(env).touched)


@measures(("m", "m", "1"), "base, from the tool", (-0.7, -0.7, 0.0), (0.7, 0.7, 1.0))
def nearest_ink(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns the nearest mark with ink, seen from the tool [m], and 1; zeros if none is left. Shape: (num_envs, 3)."""
    return _nearest(_marks(env), _marks(env).ink > 0.0)


def _nearest(marks: Marks, wanted: torch.Tensor) -> torch.Tensor:
    offset = marks.position - marks.tool_position()[:, None, :2]
    distance = torch.where(wanted, offset.norm(dim=2), torch.inf)
    nearest = offset.gather(1, distance.argmin(dim=1)[:, None, None].expand(-1, 1, 2)).squeeze(1)
    # The 1 tells a mark right under the tool from no mark at all.
    is_any = wanted.any(dim=1, keepdim=True)
    return torch.cat((torch.where(is_any, nearest, 0.0), is_any.float()), dim=1)


@measures("1", "none", 0.0, 1.0)
def ink_left(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns the share of all ink that is left. Shape: (num_envs, 1)."""
    return _marks(env).ink.mean(dim=1, keepdim=True)


@measures("1", "none", 0.0, 1.0)
def untouched_left(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns the share of the marks not touched yet. Shape: (num_envs, 1)."""
    return 1.0 - _marks(env).touched.float().mean(dim=1, keepdim=True)


def episode_metric(env: ManagerBasedRLEnv, name: str) -> torch.Tensor:
    """Returns one of the task's own figures of the episode so far. Shape: (num_envs, 1)."""
    marks = _marks(env)
    marks.refresh()
    return marks.metrics[name].unsqueeze(1)


@measures("1", "none", 0.0, 1.0)
def ink(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns the ink left on each mark, in [0, 1]. Shape: (num_envs, num_marks)."""
    return _marks(env).ink


@measures("1", "none", 0.0, 1.0)
def touched(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns which marks have been touched, 0 or 1. Shape: (num_envs, num_marks)."""
    return _marks(env).touched.float()


@measures("N", "normal of the board", 0.0, 100.0)
def normal_force(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Returns the normal force on the felt [N]. Shape: (num_envs, 1)."""
    return _marks(env).normal_force.unsqueeze(1)


def newly_touched(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Reward: number of marks touched for the first time. Shape: (num_envs,)."""
    return _marks(env).newly_touched


def distance_to_untouched(env: ManagerBasedRLEnv, board_height: float) -> torch.Tensor:
    """Reward: distance from the felt to the nearest untouched mark [m]; 0 if there is none. Shape: (num_envs,)."""
    marks = _marks(env)
    tool, wanted = marks.tool_position(), ~marks.touched
    across = (marks.position - tool[:, None, :2]).norm(dim=2)
    across = torch.where(wanted, across, torch.inf).amin(dim=1)
    return torch.where(wanted.any(dim=1), torch.hypot(across, tool[:, 2] - board_height), 0.0)


def capped_normal_force(env: ManagerBasedRLEnv, max_force: float) -> torch.Tensor:
    """Reward: normal force [N], capped, so that one hard impact does not drown everything else. Shape: (num_envs,)."""
    return _marks(env).normal_force.clamp(max=max_force)


def normal_force_share(env: ManagerBasedRLEnv, full_scale: float) -> torch.Tensor:
    """Feature: normal force as a share of a full scale [N]. Shape: (num_envs, 1)."""
    return normal_force(env) / full_scale


def ink_removed(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Feature: ink that came off in the step, as a share of the most that can. Shape: (num_envs, 1)."""
    marks = _marks(env)
    return marks.ink_removed.unsqueeze(1) / (marks.cfg.wear_rate * env.step_dt)


def distance_to_ink(env: ManagerBasedRLEnv, board_height: float, full_scale: float) -> torch.Tensor:
    """Feature: distance from the felt to the marks, weighted by their ink, as a share of a full scale [m].

    Not the distance to the nearest ink: that is least for a felt that rests on a trace of it and leaves the rest alone.

    Returns:
        0 when all ink is gone. Shape: (num_envs, 1)
    """
    marks = _marks(env)
    tool = marks.tool_position()
    across = (marks.position - tool[:, None, :2]).norm(dim=2)
    distance = torch.hypot(across, tool[:, 2:] - board_height)
    return (marks.ink * distance).mean(dim=1, keepdim=True) / full_scale


def over_force_limit(env: ManagerBasedRLEnv, full_scale: float) -> torch.Tensor:
    """Feature: normal force beyond the person's limit, as a share of a full scale [N]. Shape: (num_envs, 1)."""
    marks = _marks(env)
    return ((marks.normal_force - marks.cfg.force_limit) / full_scale).clamp(min=0.0).unsqueeze(1)
