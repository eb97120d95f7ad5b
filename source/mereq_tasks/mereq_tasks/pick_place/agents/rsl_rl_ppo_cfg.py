# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO and residual PPO on this task."""

from isaaclab.utils import configclass

from ...ppo_runner_cfg import TaskPPORunnerCfg, TaskResidualPPORunnerCfg
from ..pick_place_env_cfg import PREFERENCE


@configclass
class FrankaPickPlacePPORunnerCfg(TaskPPORunnerCfg):
    """See :class:`TaskPPORunnerCfg`."""

    experiment_name: str = "franka_pick_place"


@configclass
class FrankaPickPlaceResidualPPORunnerCfg(TaskResidualPPORunnerCfg):
    """See :class:`TaskResidualPPORunnerCfg`; the residual reward is what the synthetic person wants."""

    experiment_name: str = "franka_pick_place_residual"

    def __post_init__(self) -> None:
        """Name the task and the wish."""
        self.customise("Franka-PickPlace", PREFERENCE)
