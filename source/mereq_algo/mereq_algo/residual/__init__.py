# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Residual Q-learning: customises a prior policy for a residual reward."""

from .build import build_residual_sac
from .learning_loop import LearningLoop, LearningStep
from .reward import LinearReward
from .sac import Guide, ResidualSAC
from .sac_cfg import ResidualSACCfg, UpdateScheduleCfg

__all__ = [
    "Guide",
    "LearningLoop",
    "LearningStep",
    "LinearReward",
    "ResidualSAC",
    "ResidualSACCfg",
    "UpdateScheduleCfg",
    "build_residual_sac",
]
