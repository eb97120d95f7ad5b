# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a run was when its last round was over."""

from __future__ import annotations

from typing import Any

from ..methods import Learner
from ..plain_values import is_count
from ..records.run_folder import RunFolder, RunFolderError
from ..records.run_record import RunRecord
from .mereq_cfg import ConfigError

SAME = ("task", "method", "seed", "num_envs", "world_size")
"""What a run has to have in common with the one that it goes on with."""


def restore(folder: RunFolder, begun: RunRecord, learner: Learner) -> tuple[RunRecord, int, dict[str, Any] | None]:
    """Go back to the last completed round of a folder, or to the start where none was completed.

    Args:
        folder: The run's.
        begun: Record of the run as it would begin.
        learner: Gets back what it had learned.

    Returns:
        The record, the next round, and the features of a last round that was not learned from, if there was one.

    Raises:
        RunFolderError: The state is damaged.
        ConfigError: It is of another task, seed or number of robots.
    """
    if not folder.has_state:
        told = folder.read_summary()
        for name in ("command", "versions", "hardware"):
            setattr(begun, name, told.get(name, getattr(begun, name)))
        return begun, 0, None
    state = folder.read_state()
    try:
        found = state["record"]
        for name in SAME:
            if found[name] != getattr(begun, name):
                raise ConfigError(f"cannot resume: the run has {name} {found[name]}, not {getattr(begun, name)}")
        record = RunRecord(**found)
        learner.load_state_dict(state["learner"])
        if not is_count(state["next_round"]):
            raise ValueError("its round is no number of a round")
        return record, state["next_round"], state.get("window")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, ConfigError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise RunFolderError(f"run state does not fit this program: {folder.state_file} ({reason})") from error
