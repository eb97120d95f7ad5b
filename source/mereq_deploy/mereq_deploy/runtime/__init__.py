# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The loop: a reading comes, an observation is made of it, the policy acts, the guard is answered, the log has it."""

from .episode import Episode, Outcome
from .log import LogError, LogReader, LogWriter
from .replay import Replay, replay

__all__ = ["Episode", "LogError", "LogReader", "LogWriter", "Outcome", "Replay", "replay"]
