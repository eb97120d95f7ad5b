# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The outer loop of MEReQ, training from scratch, evaluation, and what a run leaves."""

from ..storage import BrokenPhysicsError
from .display import ConsoleDisplay, evaluation_table
from .evaluation import MEAN, SAMPLED, Estimate, Evaluation, evaluate
from .follower import Follower
from .mereq_cfg import ConfigError, MEReQCfg, PersonCfg
from .outcome import FINISHED, NOTHING_LEARNED
from .policy_training import train_policy
from .recorded_run import RecordedRunner
from .run_folder import RunFolder, RunFolderError, of_a_run
from .run_listener import RunListener
from .run_lock import RunInUseError
from .run_record import TIMES, RunRecord
from .supervision import make_person
from .supervision_runner import SupervisionRunner
from .task_spec import TaskError, TaskSpec, TaskTexts
from .tensorboard_log import TensorBoardLog, log_video
from .timed_env import TimedEnv

__all__ = [
    "FINISHED",
    "MEAN",
    "NOTHING_LEARNED",
    "SAMPLED",
    "TIMES",
    "BrokenPhysicsError",
    "ConfigError",
    "ConsoleDisplay",
    "Estimate",
    "Evaluation",
    "Follower",
    "MEReQCfg",
    "PersonCfg",
    "RecordedRunner",
    "RunFolder",
    "RunFolderError",
    "RunInUseError",
    "RunListener",
    "RunRecord",
    "SupervisionRunner",
    "TaskError",
    "TaskSpec",
    "TaskTexts",
    "TensorBoardLog",
    "TimedEnv",
    "evaluate",
    "evaluation_table",
    "log_video",
    "make_person",
    "of_a_run",
    "train_policy",
]
