# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Inverse RL: from supervised rollouts to the weights of the residual reward."""

from .confidence import RateBound, intervention_rate_bound, is_probably_above
from .corrections import Corrections
from .max_ent import MaxEntIRL, MaxEntIRLCfg, feature_scale
from .segments import Segments, TargetFeatures, TargetFeaturesCfg, split_segments
from .starts import EpisodeMeans, StartEffect

__all__ = [
    "Corrections",
    "EpisodeMeans",
    "MaxEntIRL",
    "MaxEntIRLCfg",
    "RateBound",
    "Segments",
    "StartEffect",
    "TargetFeatures",
    "TargetFeaturesCfg",
    "feature_scale",
    "intervention_rate_bound",
    "is_probably_above",
    "split_segments",
]
