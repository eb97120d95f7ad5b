# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where the parcel is to go, how it is held, and whether it has arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils import configclass
from isaaclab.utils.math import sample_uniform

from .. import mdp


class ParcelGoal(mdp.TableGoal):
    """A spot for an elongated parcel that a gripper carries, and everything between parcel and gripper.

    Where along its length the parcel is to be gripped is proposed anew in every episode, as a grasp detector does that
    has no idea of weight: on either side of the centre. Once it is gripped, the place where that was is the proposed
    one, for nobody is to look for another. (Left where it was, it kept policies from letting go of parcels that they
    had gripped elsewhere: 77 instead of 93 % success, the same policy on 256 episodes.)
    """

    cfg: ParcelGoalCfg

    def __init__(self, cfg: ParcelGoalCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        cfg.tool_cfg.resolve(env.scene)
        self.metrics |= {name: torch.zeros(self.num_envs, device=self.device) for name in ("grasp_offset", "carried")}
        self.proposal = torch.zeros(self.num_envs, device=self.device)
        """Proposed place along the parcel's own x axis, from its centre [m]; once gripped, where that was first.
        Shape: (num_envs,)"""
        self._way = torch.zeros(self.num_envs, device=self.device)
        """How far the parcel has come over the table, whichever way [m]. Shape: (num_envs,)"""
        self._way_in_air = torch.zeros(self.num_envs, device=self.device)
        """How much of that it was gripped and in the air [m]. Shape: (num_envs,)"""
        self._last_position = torch.zeros(self.num_envs, 2, device=self.device)
        self._rested_steps = torch.zeros(self.num_envs, device=self.device)
        self._gripped_steps = torch.zeros(self.num_envs, device=self.device)
        self._gripped_offset = torch.zeros(self.num_envs, device=self.device)

    def tool(self) -> torch.Tensor:
        """Returns the point between the fingertips in the environment's frame [m]. Shape: (num_envs, 3)."""
        return mdp.tool_position(self._env, self.cfg.tool_cfg, self.cfg.tool_offset)

    def axis(self) -> torch.Tensor:
        """Returns the direction of the parcel's length, the end in front of the hand's x axis. Shape: (num_envs, 3)."""
        hand, parcel = mdp.tool_direction(self._env, self.cfg.tool_cfg, (1.0, 0.0, 0.0)), self._parcel_axis()
        return torch.where((hand * parcel).sum(dim=1, keepdim=True) < 0.0, -parcel, parcel)

    def along_length(self) -> torch.Tensor:
        """Returns how far from the parcel's centre the fingertips are along its length [m]. Shape: (num_envs,)."""
        return (self._from_parcel() * self.axis()).sum(dim=1)

    def grasp_point_from_tool(self) -> torch.Tensor:
        """Returns the proposed place to grip, as seen from the fingertips [m]. Shape: (num_envs, 3)."""
        return self.proposal.unsqueeze(1) * self._parcel_axis() - self._from_parcel()

    def height(self) -> torch.Tensor:
        """Returns how high the parcel's middle is above where it is at rest [m]. Shape: (num_envs,)."""
        return mdp.object_position(self._env, self.cfg.object_cfg)[:, 2] - self.cfg.object_size[2] / 2

    def clearance(self) -> torch.Tensor:
        """Returns how high the lower end of the parcel's underside is above the table [m]. Shape: (num_envs,).

        A parcel gripped off its centre hangs from the hand: its middle can be up while an end is dragged.
        """
        slope = self._parcel_axis()[:, 2].abs().clamp(max=1.0)
        length, _, height = self.cfg.object_size
        return self.height() + 0.5 * height * (1.0 - (1.0 - slope**2).sqrt()) - 0.5 * length * slope

    def is_pressing(self) -> torch.Tensor:
        """Returns whether both fingers press on something: the parcel, or the table. Shape: (num_envs,)."""
        return self._finger_forces().amin(dim=1) > self.cfg.grip_force

    def is_gripped(self) -> torch.Tensor:
        """Returns whether both fingers press on the parcel. Shape: (num_envs,)."""
        return self.is_pressing() & self._is_around(self.cfg.object_size[0])

    def is_first_grip(self) -> torch.Tensor:
        """Returns whether the parcel is gripped for the first time in its episode. Shape: (num_envs,)."""
        return self._is_first(self.is_gripped())

    def _is_first(self, is_gripped: torch.Tensor) -> torch.Tensor:
        return is_gripped & (self._gripped_steps == 0.0)

    def is_released(self) -> torch.Tensor:
        """Returns whether no finger touches anything. Shape: (num_envs,)."""
        return self._finger_forces().amax(dim=1) < self.cfg.grip_force

    def _finger_forces(self) -> torch.Tensor:
        """Returns the contact force on each finger [N]. Shape: (num_envs, num_fingers)."""
        return self._env.scene[self.cfg.finger_sensor].data.net_forces_w.torch.norm(dim=2)

    def is_down(self) -> torch.Tensor:
        """Returns whether the parcel lies on the table. Shape: (num_envs,)."""
        return self.height().abs() < self.cfg.down_height

    def has_rested(self) -> torch.Tensor:
        """Returns whether the parcel was where it is to be, as it is to be, for half a second. Shape: (num_envs,)."""
        return self._rested_steps >= self.cfg.rested_steps

    def refresh(self) -> None:
        """Brings the task's figures up to date."""
        super().refresh()
        speed = mdp.object_velocity(self._env, self.cfg.object_cfg).norm(dim=1)
        is_left = self.is_released() & self.is_down() & (speed < self.cfg.rest_speed)
        self.metrics["carried"] = self._way_in_air / self._way.clamp(min=1e-6)
        # Dragged there it was not picked.
        was_carried = self.metrics["carried"] > self.cfg.carried_share
        self.metrics["success"] *= (is_left & was_carried).float()
        # An episode ends with the step after: a finger that touches the parcel in that one takes nothing back.
        self.metrics["success"] = torch.maximum(self.metrics["success"], self.has_rested().float())
        self.metrics["grasp_offset"] = self._gripped_offset / self._gripped_steps.clamp(min=1.0)

    def _update_metrics(self) -> None:
        is_gripped = self.is_gripped()
        self.proposal = torch.where(self._is_first(is_gripped), self._along_own_axis(), self.proposal)
        self._gripped_steps += is_gripped
        self._gripped_offset += is_gripped * self.along_length().abs()
        position = mdp.object_position(self._env, self.cfg.object_cfg)[:, :2]
        step = (position - self._last_position).norm(dim=1)
        self._last_position = position.clone()
        self._way += step
        self._way_in_air += step * (is_gripped & (self.clearance() > self.cfg.carried_clearance))
        super()._update_metrics()
        self._rested_steps = (self._rested_steps + 1.0) * self.metrics["success"]

    def _resample_command(self, env_ids: Sequence[int] | slice) -> None:
        super()._resample_command(env_ids)
        self.proposal[env_ids] = self._propose()[env_ids]
        self._bring_near(torch.arange(self.num_envs, device=self.device)[env_ids])
        self._last_position[env_ids] = mdp.object_position(self._env, self.cfg.object_cfg)[env_ids, :2]
        self._way[env_ids] = 0.0
        self._way_in_air[env_ids] = 0.0
        self._rested_steps[env_ids] = 0.0
        self._gripped_steps[env_ids] = 0.0
        self._gripped_offset[env_ids] = 0.0

    def _propose(self) -> torch.Tensor:
        """Returns a place on the parcel, or for a hand that is around it already (a start in training) where that is.

        Returns:
            Shape: (num_envs,)
        """
        side = torch.randint(0, 2, (self.num_envs,), device=self.device) * 2 - 1
        drawn = side * sample_uniform(*self.cfg.proposed_offset, (self.num_envs,), self.device)
        return torch.where(self._is_around(self.cfg.graspable_length), self._along_own_axis(), drawn)

    def _bring_near(self, env_ids: torch.Tensor) -> None:
        """Moves some spots under parcels that are held already (a start in training): letting go is what is left."""
        is_held = self._is_around(self.cfg.graspable_length)[env_ids] & (self.height()[env_ids] > self.cfg.down_height)
        is_near = is_held & (torch.rand(len(env_ids), device=self.device) < self.cfg.near_share)
        below = mdp.object_position(self._env, self.cfg.object_cfg)[env_ids, :2]
        below = below + sample_uniform(-self.cfg.success_distance, self.cfg.success_distance, below.shape, self.device)
        self._position[env_ids] = torch.where(is_near.unsqueeze(1), below, self._position[env_ids])

    def _is_around(self, length: float) -> torch.Tensor:
        """Returns whether the fingertips are around the middle part of the parcel of a length [m], gripping or not.

        Returns:
            Shape: (num_envs,)
        """
        along = self._along_own_axis()
        aside = (self._from_parcel() - along.unsqueeze(1) * self._parcel_axis()).norm(dim=1)
        return (aside < self.cfg.around_distance) & (along.abs() <= length / 2)

    def _along_own_axis(self) -> torch.Tensor:
        """Returns how far from the centre the fingertips are along the parcel's own x axis [m]. Shape: (num_envs,)."""
        return (self._from_parcel() * self._parcel_axis()).sum(dim=1)

    def _parcel_axis(self) -> torch.Tensor:
        return mdp.rotate(self._env.scene[self.cfg.object_cfg.name].data.root_quat_w.torch, (1.0, 0.0, 0.0))

    def _from_parcel(self) -> torch.Tensor:
        return self.tool() - mdp.object_position(self._env, self.cfg.object_cfg)


@configclass
class ParcelGoalCfg(mdp.TableGoalCfg):
    """Configuration of :class:`ParcelGoal`. Thresholds are ours where they name no other source."""

    class_type: type[ParcelGoal] = ParcelGoal

    tool_cfg: SceneEntityCfg = MISSING
    """The robot and its hand."""

    tool_offset: tuple[float, float, float] = MISSING
    """The point between the fingertips in the hand's frame [m]."""

    object_size: tuple[float, float, float] = MISSING
    """Length, width and height of the parcel [m]."""

    finger_sensor: str = MISSING
    """Name of the contact sensor of the fingers."""

    graspable_length: float = MISSING
    """Length of the parcel along which the pads fit on it wholly [m]."""

    proposed_offset: tuple[float, float] = MISSING
    """Range of the proposed place's distance from the parcel's centre [m]."""

    around_distance: float = 0.03
    """Distance of the fingertips from the parcel's axis within which they are around it [m]."""

    near_share: float = 0.2
    """Share of the parcels that are held at the start whose spot is right below. Source: ours: in a single run with
    half of them a policy learned to let go at once wherever it was."""

    down_height: float = 0.01
    """Height above that within which it counts as lying there [m]."""

    carried_clearance: float = 0.002
    """Clearance from which the parcel is in the air [m]; one that rests settles by a tenth of it."""

    carried_share: float = 0.5
    """Share of its way over the table that a parcel was in the air, gripped, above which it was picked; else it was
    dragged. A number of steps in its place counts who is quick over a short way as dragging."""

    rested_steps: int = 10
    """Steps that it lies on its spot, flat and released, after which the task is done."""

    rest_speed: float = 0.05
    """Speed below which it rests [m/s]."""

    grip_force: float = 0.5
    """Force of a finger from which it counts as touching [N]."""
