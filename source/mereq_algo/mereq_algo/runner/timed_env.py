# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Tells how much of a run's wall time the simulation took, and how often physics broke."""

from __future__ import annotations

import time
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from .env_wrapper import EnvWrapper


class TimedEnv(EnvWrapper):
    """Times ``step`` and ``reset`` of an environment, and counts robots whose physics broke.

    On a GPU the work is queued, not waited for: there the time is that of the host alone.
    """

    def __init__(self, env: VecEnv) -> None:
        """Wrap an environment."""
        super().__init__(env)
        self.seconds = 0.0
        """Wall time spent inside the environment [s]."""
        self.num_steps = 0
        """Steps of all robots together."""
        self._num_broken = torch.zeros((), dtype=torch.long, device=env.device)

    @property
    def num_broken(self) -> int:
        """Episodes that ended because physics broke, of all robots, where the environment tells (``broken``)."""
        return int(self._num_broken)

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Step all robots; see :class:`rsl_rl.env.VecEnv`."""
        start = time.perf_counter()
        result = super().step(actions)
        self.seconds += time.perf_counter() - start
        self.num_steps += self.num_envs
        if "broken" in result[3]:
            self._num_broken += result[3]["broken"].sum()
        return result

    def reset(self) -> TensorDict:
        """Reset all robots and return their observations."""
        start = time.perf_counter()
        obs = super().reset()
        self.seconds += time.perf_counter() - start
        return obs
