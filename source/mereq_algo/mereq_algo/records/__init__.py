# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a run leaves: its folder, its figures, and who may write them."""

from .evaluation_table import MEAN, SAMPLED, Estimate, Evaluation, evaluation_rows
from .outcome import FINISHED, NOTHING_LEARNED, note_outcome
from .run_folder import RunFolder, RunFolderError, of_a_run
from .run_listener import RunListener
from .run_lock import RunInUseError
from .run_record import TIMES, RunRecord
from .task_spec import TaskError, TaskSpec, TaskTexts

__all__ = [
    "FINISHED",
    "MEAN",
    "NOTHING_LEARNED",
    "SAMPLED",
    "TIMES",
    "Estimate",
    "Evaluation",
    "RunFolder",
    "RunFolderError",
    "RunInUseError",
    "RunListener",
    "RunRecord",
    "TaskError",
    "TaskSpec",
    "TaskTexts",
    "evaluation_rows",
    "note_outcome",
    "of_a_run",
]
