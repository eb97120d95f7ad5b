# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO and residual PPO on this task."""

from isaaclab.utils import configclass

from ...ppo_runner_cfg import TaskPPORunnerCfg, TaskResidualPPORunnerCfg
from ..push_bottle_env_cfg import PREFERENCE


@configclass
class FrankaPushBottlePPORunnerCfg(TaskPPORunnerCfg):
    """See :class:`TaskPPORunnerCfg`."""

    experiment_name: str = "franka_push_bottle"


@configclass
class FrankaPushBottleResidualPPORunnerCfg(TaskResidualPPORunnerCfg):
    """See :class:`TaskResidualPPORunnerCfg`; the residual reward is what the synthetic person wants."""

    experiment_name: str = "franka_push_bottle_residual"

    def __post_init__(self) -> None:
        """Name the task and the wish."""
        self.customise("Franka-PushBottle", PREFERENCE)
