# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Objects on a table: where they are, how they stand, where they are to go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING
from typing import TYPE_CHECKING

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import CommandTerm, CommandTermCfg, SceneEntityCfg
from isaaclab.utils import configclass
from isaaclab.utils.math import sample_uniform

from ..quantity import measures
from .observations import tool_position
from .vectors import constant, rotate

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedEnv


def object_position(
    env: ManagerBasedEnv, asset_cfg: SceneEntityCfg, origin: Sequence[float] = (0.0, 0.0, 0.0)
) -> torch.Tensor:
    """Returns an object's position from an origin in the environment's frame [m]. Shape: (num_envs, 3)."""
    position = env.scene[asset_cfg.name].data.root_pos_w.torch - env.scene.env_origins
    return position - constant(origin, position)


@measures("m", "base, from the tool", -1.0, 1.0)
def object_from_tool(
    env: ManagerBasedEnv,
    asset_cfg: SceneEntityCfg,
    tool_cfg: SceneEntityCfg,
    offset: Sequence[float] = (0.0, 0.0, 0.0),
) -> torch.Tensor:
    """Returns where an object is as seen from the tool [m].

    Args:
        env: The environment.
        asset_cfg: The object.
        tool_cfg: The robot and the one body that carries the tool.
        offset: The tool's point in that body's frame [m].

    Returns:
        Shape: (num_envs, 3)
    """
    return object_position(env, asset_cfg) - tool_position(env, tool_cfg, offset)


@measures("m/s", "base", -3.0, 3.0)
def object_velocity(env: ManagerBasedEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Returns an object's linear velocity [m/s]. Shape: (num_envs, 3)."""
    return env.scene[asset_cfg.name].data.root_lin_vel_w.torch


@measures("1", "base", -1.0, 1.0)
def object_up(env: ManagerBasedEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Returns the direction in which an object's own z axis points. Shape: (num_envs, 3)."""
    rotation = env.scene[asset_cfg.name].data.root_quat_w.torch
    return rotate(rotation, (0.0, 0.0, 1.0))


def object_tilt(env: ManagerBasedEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Returns the angle between an object's own z axis and the vertical [rad]. Shape: (num_envs, 1)."""
    return torch.acos(object_up(env, asset_cfg)[:, 2:].clamp(-1.0, 1.0))


MAX_DRAWS = 1000
"""Draws of a spot after which there is none: where one in fifty is in the area, one reset in 10^9 fails."""


class TableGoal(CommandTerm):
    """A spot on the table where an object is to go, drawn anew in every episode around where the object starts."""

    cfg: TableGoalCfg
    _env: ManagerBasedRLEnv

    def __init__(self, cfg: TableGoalCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        self._position = torch.zeros(self.num_envs, 2, device=self.device)
        self.metrics = {name: torch.zeros(self.num_envs, device=self.device) for name in ("success", "toppled")}

    @property
    def command(self) -> torch.Tensor:
        """The spot in the environment's frame [m]. Shape: (num_envs, 2)."""
        return self._position

    def offset(self) -> torch.Tensor:
        """Returns the spot as seen from the object [m]. Shape: (num_envs, 2)."""
        return self._position - object_position(self._env, self.cfg.object_cfg)[:, :2]

    def distance(self) -> torch.Tensor:
        """Returns how far the object is from the spot [m]. Shape: (num_envs,)."""
        return self.offset().norm(dim=1)

    def tilt(self) -> torch.Tensor:
        """Returns how far the object leans [rad]. Shape: (num_envs,)."""
        return object_tilt(self._env, self.cfg.object_cfg).squeeze(1)

    def refresh(self) -> None:
        """Brings the task's figures up to date."""
        tilt = self.tilt()
        self.metrics["toppled"] = (tilt > self.cfg.toppled_tilt).float()
        is_there = self.distance() < self.cfg.success_distance
        self.metrics["success"] = (is_there & (tilt < self.cfg.success_tilt)).float()

    def _update_metrics(self) -> None:
        self.refresh()

    def _update_command(self) -> None:
        pass

    def _resample_command(self, env_ids: Sequence[int] | slice) -> None:
        env_ids = torch.arange(self.num_envs, device=self.device)[env_ids]

        start = object_position(self._env, self.cfg.object_cfg)[env_ids, :2]
        low, high = start.new_tensor(self.cfg.area)
        target = start.clone()
        is_open = torch.ones(len(env_ids), dtype=torch.bool, device=self.device)
        for _ in range(MAX_DRAWS):
            distance = sample_uniform(*self.cfg.distance, (len(env_ids), 1), self.device)
            heading = sample_uniform(*self.cfg.heading, (len(env_ids), 1), self.device)
            drawn = start + distance * torch.cat((heading.cos(), heading.sin()), dim=1)
            target = torch.where(is_open.unsqueeze(1), drawn, target)
            is_open &= ((drawn < low) | (drawn > high)).any(dim=1)
            if not is_open.any():
                break
        else:
            raise RuntimeError(
                f"goal: no spot within {self.cfg.area} was found in {MAX_DRAWS} draws of a way of {self.cfg.distance} m"
                f" and heading {self.cfg.heading} from {start[is_open][0].tolist()}"
            )
        self._position[env_ids] = target


@configclass
class TableGoalCfg(CommandTermCfg):
    """Configuration of :class:`TableGoal`. Thresholds are ours where they name no other source."""

    class_type: type[TableGoal] = TableGoal
    resampling_time_range: tuple[float, float] = (1e9, 1e9)  # only at a reset

    object_cfg: SceneEntityCfg = MISSING
    """What is to go there."""

    distance: tuple[float, float] = MISSING
    """Range of the way from the object's start [m]."""

    heading: tuple[float, float] = MISSING
    """Range of the direction of the way; 0 is away from the robot [rad]."""

    area: tuple[tuple[float, float], tuple[float, float]] = ((-10.0, -10.0), (10.0, 10.0))
    """Least and greatest x and y of the spot [m]. A way that leads out is drawn again."""

    success_distance: float = 0.03
    """Distance from the spot within which the object has arrived [m]."""

    success_tilt: float = 0.17
    """Tilt within which the object stands [rad]: 10 degrees."""

    toppled_tilt: float = 0.8
    """Tilt beyond which the object has fallen over [rad]; a slender one does not come back from there."""


@measures("m", "base, from the object", -1.0, 1.0)
def goal_offset(env: ManagerBasedRLEnv, command: str = "goal") -> torch.Tensor:
    """Returns the spot as seen from the object [m]. Shape: (num_envs, 2)."""
    return _goal(env, command).offset()


def goal_distance(env: ManagerBasedRLEnv, command: str = "goal") -> torch.Tensor:
    """Reward: distance of the object from its spot [m]. Shape: (num_envs,)."""
    return _goal(env, command).distance()


def at_goal(env: ManagerBasedRLEnv, width: float, command: str = "goal") -> torch.Tensor:
    """Reward: 1 on the spot, falling off as a Gaussian of a width [m]. Shape: (num_envs,)."""
    return torch.exp(-0.5 * (_goal(env, command).distance() / width) ** 2)


def goal_distance_share(env: ManagerBasedRLEnv, full_scale: float, command: str = "goal") -> torch.Tensor:
    """Feature: distance of the object from its spot, as a share of a full scale [m]. Shape: (num_envs, 1)."""
    return goal_distance(env, command).unsqueeze(1) / full_scale


def tilt_share(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, full_scale: float) -> torch.Tensor:
    """Feature: tilt of an object, as a share of a full scale [rad]. Shape: (num_envs, 1)."""
    return object_tilt(env, asset_cfg) / full_scale


def goal_metric(env: ManagerBasedRLEnv, name: str, command: str = "goal") -> torch.Tensor:
    """Returns one of the task's own figures as it is now. Shape: (num_envs, 1)."""
    goal = _goal(env, command)
    goal.refresh()
    return goal.metrics[name].unsqueeze(1)


def toppled(env: ManagerBasedRLEnv, command: str = "goal") -> torch.Tensor:
    """Termination: the object has fallen over. Shape: (num_envs,)."""
    goal = _goal(env, command)
    return goal.tilt() > goal.cfg.toppled_tilt


@measures("1", "none", 0.0, 1.0)
def toppled_flag(env: ManagerBasedRLEnv, command: str = "goal") -> torch.Tensor:
    """Feature: 1 in the step in which the object falls over, else 0. Shape: (num_envs, 1).

    Where falling ends the episode, a task needs this feature: what a person wishes mostly costs reward in every step,
    and without a weight for the fall itself the cheapest wish is an episode that is over soon (the survival bias of
    Kostrikov et al., "Discriminator-actor-critic", ICLR 2019).
    """
    return toppled(env, command).float().unsqueeze(1)


def _goal(env: ManagerBasedRLEnv, command: str) -> TableGoal:
    return env.command_manager.get_term(command)  # type: ignore[return-value]  # the task's own term
