# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policy, critics, and how they are stored."""

from .checkpoint import CheckpointError, CheckpointInfo, TrainedPolicy, load_checkpoint, save_checkpoint
from .critic import CriticCfg, TwinCritic
from .policy import GaussianPolicy, PolicyCfg
from .tanh_normal import TanhNormal

__all__ = [
    "CheckpointError",
    "CheckpointInfo",
    "CriticCfg",
    "GaussianPolicy",
    "PolicyCfg",
    "TanhNormal",
    "TrainedPolicy",
    "TwinCritic",
    "load_checkpoint",
    "save_checkpoint",
]
