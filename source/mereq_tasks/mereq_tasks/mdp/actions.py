# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Actions shared by the tasks: small Cartesian steps of a tool that stays level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from isaaclab.envs import ManagerBasedEnv
from isaaclab.envs.mdp.actions.actions_cfg import OperationalSpaceControllerActionCfg
from isaaclab.envs.mdp.actions.task_space_actions import OperationalSpaceControllerAction
from isaaclab.utils import configclass
from isaaclab.utils.math import euler_xyz_from_quat, quat_conjugate, quat_from_euler_xyz, quat_mul

from .impedance import ToolImpedance


class ToolStepAction(OperationalSpaceControllerAction):
    """Moves a tool by Cartesian steps under impedance control; it keeps its orientation, or turns about the vertical.

    The action a in [-1, 1]³ asks for the position ``measured tool position + step_size * a`` in the robot's base frame,
    kept inside the workspace. Under contact the step becomes a force: the tool cannot move, so it presses with
    ``stiffness * step_size * a``. One action therefore both moves and presses, as a hand does.

    With a ``yaw_step`` there is a fourth number, which asks for the orientation ``measured yaw + yaw_step * a`` about
    the base's vertical, counted from ``orientation``.

    The law is that of Isaac Lab's operational-space controller for absolute poses, fixed gains, and neither decoupling
    nor null space, and its settings are taken; :class:`ToolImpedance` computes it.
    """

    cfg: ToolStepActionCfg

    def __init__(self, cfg: ToolStepActionCfg, env: ManagerBasedEnv):
        super().__init__(cfg, env)
        # The parent sizes its buffers by the controller's 7 numbers (position and quaternion); a policy gives 3 or 4.
        self._raw_actions = torch.zeros(self.num_envs, self.action_dim, device=self.device)
        self._processed_actions = torch.zeros(self.num_envs, 7, device=self.device)
        self._step_size = torch.tensor(cfg.step_size, device=self.device)
        self._orientation = torch.tensor(cfg.orientation, device=self.device)
        self._workspace_low, self._workspace_high = torch.tensor(cfg.workspace, device=self.device)
        self._start = torch.zeros(self.num_envs, 3, device=self.device)
        self._has_started = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        gains = cfg.controller_cfg
        stiffness, ratios = gains.motion_stiffness_task, gains.motion_damping_ratio_task
        self._impedance = ToolImpedance(
            self._asset,
            self._ee_body_idx,
            self._jacobi_joint_idx,
            torch.tensor(cfg.body_offset.pos),
            list(stiffness),
            [2.0 * ratio * math.sqrt(gain) for ratio, gain in zip(ratios, stiffness, strict=True)],
        )

    @property
    def action_dim(self) -> int:
        """Width of the action: the step along x, y and z, and about the vertical where the tool may turn."""
        return 3 if self.cfg.yaw_step is None else 4

    def pose(self) -> torch.Tensor:
        """Returns where the tool is now, in the base frame: position [m], quaternion [xyzw]. Shape: (num_envs, 7)."""
        self._compute_ee_pose()
        return self._ee_pose_b

    def drift(self) -> torch.Tensor:
        """Returns how far the tool is from where it was when the episode began [m]. Shape: (num_envs, 3)."""
        return torch.where(self._has_started.unsqueeze(1), self.pose()[:, :3] - self._start, 0.0)

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """Forgets where the tool was; the next action finds it where the reset has put it."""
        super().reset(env_ids)
        self._has_started[slice(None) if env_ids is None else env_ids] = False

    def _resolve_command_indexes(self):
        """Leaves all indices unset: no part of the action is a pose, so zeros mean to stay."""

    def _compute_ee_pose(self) -> None:
        self._impedance.write_pose(self._ee_pose_b)

    def process_actions(self, actions: torch.Tensor) -> None:
        """Sets the target of this step. Shape of actions: (num_envs, 3) or (num_envs, 4)."""
        self._compute_ee_pose()
        self._preprocess_actions(actions)

    def apply_actions(self) -> None:
        """Pulls the tool towards the target, in every physics step."""
        self._impedance.write_torques(self._processed_actions, self._joint_efforts)
        self._asset.set_joint_effort_target_index(target=self._joint_efforts, joint_ids=self._joint_ids)

    def _preprocess_actions(self, actions: torch.Tensor):
        self._start = torch.where(self._has_started.unsqueeze(1), self._start, self._ee_pose_b[:, :3])
        self._has_started[:] = True
        self._raw_actions[:] = actions.clamp(-1.0, 1.0)
        target = self._ee_pose_b[:, :3] + self._raw_actions[:, :3] * self._step_size
        self._processed_actions[:, :3] = torch.clamp(target, self._workspace_low, self._workspace_high)
        self._processed_actions[:, 3:] = self._orientation
        if self.cfg.yaw_step is not None:
            low, high = self.cfg.yaw_limits
            yaw = (self.yaw() + self.cfg.yaw_step * self._raw_actions[:, 3]).clamp(low, high)
            turn = quat_from_euler_xyz(torch.zeros_like(yaw), torch.zeros_like(yaw), yaw)
            self._processed_actions[:, 3:] = quat_mul(turn, self._processed_actions[:, 3:])

    def yaw(self) -> torch.Tensor:
        """Returns how far the tool is turned about the base's vertical [rad]. Shape: (num_envs,)."""
        turn = quat_mul(self.pose()[:, 3:], quat_conjugate(self._orientation.expand(self.num_envs, 4)))
        return euler_xyz_from_quat(turn)[2]


@configclass
class ToolStepActionCfg(OperationalSpaceControllerActionCfg):
    """Configuration of :class:`ToolStepAction`."""

    class_type: type[ToolStepAction] = ToolStepAction

    step_size: tuple[float, float, float] = (0.05, 0.05, 0.05)
    """Largest step along x, y and z [m]."""

    orientation: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    """Orientation that the tool keeps, in the base frame [xyzw]. Default: pointing down."""

    yaw_step: float | None = None
    """Largest turn about the vertical [rad]; None keeps the orientation."""

    yaw_limits: tuple[float, float] = (-1.2, 1.2)
    """Least and greatest commanded yaw [rad]."""

    workspace: tuple[tuple[float, float, float], tuple[float, float, float]] = ((0.3, -0.4, -0.1), (0.7, 0.4, 0.5))
    """Lowest and highest commanded tool position in the base frame [m]."""
