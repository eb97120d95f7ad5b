# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policy, critics, and how they are stored."""

from .checkpoint import (
    CheckpointError,
    CheckpointInfo,
    TrainedPolicy,
    load_checkpoint,
    parse_checkpoint,
    read_checkpoint,
    save_checkpoint,
)
from .critic import CriticCfg, TwinCritic
from .finite import NotFiniteError, check_finite
from .policy import GaussianPolicy, PolicyCfg
from .tanh_normal import TanhNormal

__all__ = [
    "CheckpointError",
    "CheckpointInfo",
    "CriticCfg",
    "GaussianPolicy",
    "NotFiniteError",
    "PolicyCfg",
    "TanhNormal",
    "TrainedPolicy",
    "TwinCritic",
    "check_finite",
    "load_checkpoint",
    "parse_checkpoint",
    "read_checkpoint",
    "save_checkpoint",
]
