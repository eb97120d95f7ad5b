# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Residual Q-learning: customises a prior policy for a residual reward."""

from .anchor import PriorAnchor
from .build import build_residual_sac
from .learning_loop import Algorithm, LearningLoop, LearningStep
from .on_policy import OnPolicyLearning
from .ppo import ResidualPPO
from .ppo_actor import PolicyActor
from .ppo_cfg import ResidualPPOCfg
from .reward import LinearReward
from .sac import Guide, ResidualSAC
from .sac_cfg import ResidualSACCfg, UpdateScheduleCfg
from .successor_features import SuccessorFeatures

__all__ = [
    "Algorithm",
    "Guide",
    "LearningLoop",
    "LearningStep",
    "LinearReward",
    "OnPolicyLearning",
    "PolicyActor",
    "PriorAnchor",
    "ResidualPPO",
    "ResidualPPOCfg",
    "ResidualSAC",
    "ResidualSACCfg",
    "SuccessorFeatures",
    "UpdateScheduleCfg",
    "build_residual_sac",
]
