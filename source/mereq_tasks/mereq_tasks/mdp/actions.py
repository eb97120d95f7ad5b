# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Actions shared by the tasks: small Cartesian steps of a tool that keeps its orientation."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from isaaclab.envs.mdp.actions.actions_cfg import OperationalSpaceControllerActionCfg
from isaaclab.envs.mdp.actions.task_space_actions import OperationalSpaceControllerAction
from isaaclab.utils import configclass


class ToolStepAction(OperationalSpaceControllerAction):
    """Moves a tool by Cartesian steps at a fixed orientation, under impedance control.

    The action a in [-1, 1]³ asks for the position ``measured tool position + step_size * a`` in the robot's base frame,
    kept inside the workspace. Under contact the step becomes a force: the tool cannot move, so it presses with
    ``stiffness * step_size * a``. One action therefore both moves and presses, as a hand does.
    """

    cfg: ToolStepActionCfg

    def __init__(self, cfg: ToolStepActionCfg, env: ManagerBasedEnv):
        super().__init__(cfg, env)
        # The parent sizes its buffers by the controller's 7 numbers (position and quaternion); a policy gives 3.
        self._raw_actions = torch.zeros(self.num_envs, 3, device=self.device)
        self._processed_actions = torch.zeros(self.num_envs, 7, device=self.device)
        self._step_size = torch.tensor(cfg.step_size, device=self.device)
        self._orientation = torch.tensor(cfg.orientation, device=self.device)
        self._workspace_low, self._workspace_high = torch.tensor(cfg.workspace, device=self.device)

    @property
    def action_dim(self) -> int:
        """Width of the action: the step along x, y and z."""
        return 3

    def _resolve_command_indexes(self):
        """Leaves all indices unset: no part of the action is a pose, so zeros mean to stay."""

    def _preprocess_actions(self, actions: torch.Tensor):
        self._raw_actions[:] = actions.clamp(-1.0, 1.0)
        target = self._ee_pose_b[:, :3] + self._raw_actions * self._step_size
        self._processed_actions[:, :3] = torch.clamp(target, self._workspace_low, self._workspace_high)
        self._processed_actions[:, 3:] = self._orientation


@configclass
class ToolStepActionCfg(OperationalSpaceControllerActionCfg):
    """Configuration of :class:`ToolStepAction`."""

    class_type: type[ToolStepAction] = ToolStepAction

    step_size: tuple[float, float, float] = (0.05, 0.05, 0.05)
    """Largest step along x, y and z [m]."""

    orientation: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    """Orientation that the tool keeps, in the base frame [xyzw]. Default: pointing down."""

    workspace: tuple[tuple[float, float, float], tuple[float, float, float]] = ((0.3, -0.4, -0.1), (0.7, 0.4, 0.5))
    """Lowest and highest commanded tool position in the base frame [m]."""
