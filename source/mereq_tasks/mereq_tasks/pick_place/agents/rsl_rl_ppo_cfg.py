# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO on this task."""

from isaaclab.utils import configclass

from ...ppo_runner_cfg import TaskPPORunnerCfg


@configclass
class FrankaPickPlacePPORunnerCfg(TaskPPORunnerCfg):
    """See :class:`TaskPPORunnerCfg`."""

    experiment_name: str = "franka_pick_place"
