# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""From what the policy says to what the arm is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .contract import Contract, ContractError, GripperCommand, ToolStep
from .state import ArmState, conjugate, multiply


@dataclass
class Target:
    """Where the tool is asked to be."""

    position: np.ndarray
    """Of the tool's point, along the axes of the base [m]. Shape: (3,)"""

    orientation: np.ndarray
    """Of the hand [xyzw]. Shape: (4,)"""

    finger_opening: float | None = None
    """Distance between the fingertips [m]; None for a hand that the policy does not move."""


class ActionMapper:
    """Maps actions to targets, from the contract alone."""

    def __init__(self, contract: Contract) -> None:
        """Read the action.

        Raises:
            ContractError: There is not exactly one tool step, or more than one gripper.
        """
        self._num_actions = contract.num_actions
        tools = [term for term in contract.action if isinstance(term, ToolStep)]
        grippers = [term for term in contract.action if isinstance(term, GripperCommand)]
        if len(tools) != 1 or len(grippers) > 1 or [*tools, *grippers] != contract.action:
            raise ContractError("contract: an action is one tool step and then at most one gripper")
        self._tool = tools[0]
        self._gripper = grippers[0] if grippers else None

    def target(self, action: np.ndarray, arm: ArmState) -> Target:
        """Return what an action asks for.

        Args:
            action: What the policy said; beyond [-1, 1] it counts as the bound. Shape: (num_actions,)
            arm: Where the arm is.

        Raises:
            ContractError: The action has another width than the contract says.
        """
        if action.shape != (self._num_actions,):
            raise ContractError(f"the policy's action has shape {action.shape}, the contract says {self._num_actions}")
        tool = self._tool
        action = np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0)
        position = np.clip(
            arm.tool_position + action[:3] * np.asarray(tool.step_size), tool.workspace_low, tool.workspace_high
        )
        orientation = np.asarray(tool.orientation)
        if tool.yaw_step is not None and tool.yaw_limits is not None:
            yaw = np.clip(self.yaw(arm) + tool.yaw_step * action[3], tool.yaw_limits[0], tool.yaw_limits[1])
            orientation = multiply(np.array([0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)]), orientation)
        opening = None
        if self._gripper is not None:
            opening = self._gripper.closed_width if action[tool.width] < 0.0 else self._gripper.open_width
        return Target(position, orientation, opening)

    def yaw(self, arm: ArmState) -> float:
        """Return how far the hand is turned about the base's vertical [rad]."""
        x, y, z, w = multiply(arm.hand_orientation, conjugate(np.asarray(self._tool.orientation)))
        return float(np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z)))
