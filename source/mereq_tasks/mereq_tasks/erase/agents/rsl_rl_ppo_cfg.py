# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO and residual PPO on this task."""

from isaaclab.utils import configclass

from ...ppo_runner_cfg import TaskPPORunnerCfg, TaskResidualPPORunnerCfg
from ..erase_env_cfg import PREFERENCE


@configclass
class FrankaErasePPORunnerCfg(TaskPPORunnerCfg):
    """See :class:`TaskPPORunnerCfg`."""

    experiment_name: str = "franka_erase"


@configclass
class FrankaEraseResidualPPORunnerCfg(TaskResidualPPORunnerCfg):
    """See :class:`TaskResidualPPORunnerCfg`; the residual reward is what the synthetic person wants."""

    experiment_name: str = "franka_erase_residual"

    def __post_init__(self) -> None:
        """Name the task and the wish."""
        self.customise("Franka-Erase", PREFERENCE)
