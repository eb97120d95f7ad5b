# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terms that the tasks share, on top of Isaac Lab's own."""

from isaaclab.envs.mdp import *  # noqa: F403

from .actions import ToolStepAction, ToolStepActionCfg
from .events import reset_joints_between, set_between
from .objects import (
    TableGoal,
    TableGoalCfg,
    at_goal,
    goal_distance,
    goal_distance_share,
    goal_metric,
    goal_offset,
    object_from_tool,
    object_position,
    object_tilt,
    object_up,
    object_velocity,
    tilt_share,
    toppled,
    toppled_flag,
)
from .observations import tool_direction, tool_position, tool_speed_share, tool_velocity
from .terminations import non_finite_state
from .vectors import rotate

__all__ = [
    "TableGoal",
    "TableGoalCfg",
    "ToolStepAction",
    "ToolStepActionCfg",
    "at_goal",
    "goal_distance",
    "goal_distance_share",
    "goal_metric",
    "goal_offset",
    "non_finite_state",
    "object_from_tool",
    "object_position",
    "object_tilt",
    "object_up",
    "object_velocity",
    "reset_joints_between",
    "rotate",
    "set_between",
    "tilt_share",
    "tool_direction",
    "tool_position",
    "tool_speed_share",
    "tool_velocity",
    "toppled",
    "toppled_flag",
]
