# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terms that the tasks share, on top of Isaac Lab's own."""

from isaaclab.envs.mdp import *  # noqa: F403

from .actions import ToolStepAction, ToolStepActionCfg
from .observations import tool_position, tool_velocity
from .terminations import non_finite_state

__all__ = ["ToolStepAction", "ToolStepActionCfg", "non_finite_state", "tool_position", "tool_velocity"]
