# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The methods of alignment: MEReQ, and those that it is measured against."""

from .cloning import Clone, CloningCfg, CloningLearner, balanced_weights
from .inner_loop import FeatureWindow, InnerLoopCfg, InnerLoopProgress, run_inner_loop
from .jump_start import JumpStart
from .learner import Learner
from .names import ANCHORED, CLONING, METHODS, is_distinct
from .reward_matching import RewardMatchingLearner

__all__ = [
    "ANCHORED",
    "CLONING",
    "METHODS",
    "Clone",
    "CloningCfg",
    "CloningLearner",
    "FeatureWindow",
    "InnerLoopCfg",
    "InnerLoopProgress",
    "JumpStart",
    "Learner",
    "RewardMatchingLearner",
    "balanced_weights",
    "is_distinct",
    "run_inner_loop",
]
