# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The outer loop of MEReQ, training from scratch, and evaluation."""

from .build_learner import build_learner
from .evaluation import evaluate
from .follower import Follower
from .mereq_cfg import ConfigError, MEReQCfg, PersonCfg
from .policy_training import train_policy
from .recorded_run import RecordedRunner
from .supervision import make_person
from .supervision_runner import SupervisionRunner
from .timed_env import TimedEnv

__all__ = [
    "ConfigError",
    "Follower",
    "MEReQCfg",
    "PersonCfg",
    "RecordedRunner",
    "SupervisionRunner",
    "TimedEnv",
    "build_learner",
    "evaluate",
    "make_person",
    "train_policy",
]
