# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a run has used up so far, over all the processes that it was interrupted in and resumed by."""

from __future__ import annotations

import time

from ..records.run_record import RunRecord
from .timed_env import TimedEnv


class RunMeter:
    """Counts wall time, time of the simulation and steps."""

    def __init__(self, env: TimedEnv, world_size: int = 1) -> None:
        """Begin at nothing.

        Args:
            env: The environment, which counts for itself.
            world_size: Processes that step as many robots each.
        """
        self._env = env
        self._world_size = world_size
        self._started_at = time.perf_counter()
        self._wall_time_s = self._sim_time_s = 0.0
        self._env_steps = self._num_broken = 0

    def start(self) -> None:
        """Let the wall time begin now."""
        self._started_at = time.perf_counter()

    def go_on_from(self, record: RunRecord) -> None:
        """Count on from where an earlier process stood."""
        self._wall_time_s, self._sim_time_s = record.wall_time_s, record.sim_time_s
        self._env_steps, self._num_broken = record.env_steps, record.num_broken

    def note(self, record: RunRecord) -> None:
        """Write down where it stands."""
        record.wall_time_s = self._wall_time_s + time.perf_counter() - self._started_at
        record.sim_time_s = self._sim_time_s + self._env.seconds
        record.env_steps = self._env_steps + self._world_size * self._env.num_steps
        record.num_broken = self._num_broken + self._env.num_broken
