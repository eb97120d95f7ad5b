# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Tells how much of a run's wall time the simulation took, and how often physics broke."""

from __future__ import annotations

import time

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict


class TimedEnv(VecEnv):
    """Passes everything on to an environment, times its ``step`` and ``reset``, and counts robots whose physics broke.

    On a GPU the work is queued, not waited for: there the time is that of the host alone.
    """

    def __init__(self, env: VecEnv) -> None:
        """Wrap an environment."""
        self.env = env
        self.num_envs = env.num_envs
        self.num_actions = env.num_actions
        self.max_episode_length = env.max_episode_length
        self.device = env.device
        self.cfg = env.cfg
        self.seconds = 0.0
        """Wall time spent inside the environment [s]."""
        self.num_steps = 0
        """Steps of all robots together."""
        self._num_broken = torch.zeros((), dtype=torch.long, device=env.device)

    @property
    def num_broken(self) -> int:
        """Episodes that ended because physics broke, of all robots, where the environment tells (``broken``)."""
        return int(self._num_broken)

    @property
    def episode_length_buf(self) -> torch.Tensor:  # type: ignore[override]
        """Steps of the current episode. Shape: (num_envs,)."""
        return self.env.episode_length_buf

    @episode_length_buf.setter
    def episode_length_buf(self, value: torch.Tensor) -> None:
        self.env.episode_length_buf = value

    def get_observations(self) -> TensorDict:
        """Return the current observations."""
        return self.env.get_observations()

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict]:
        """Step all robots; see :class:`rsl_rl.env.VecEnv`."""
        start = time.perf_counter()
        result = self.env.step(actions)
        self.seconds += time.perf_counter() - start
        self.num_steps += self.num_envs
        if "broken" in result[3]:
            self._num_broken += result[3]["broken"].sum()
        return result

    def reset(self) -> TensorDict:
        """Reset all robots and return their observations."""
        start = time.perf_counter()
        self.env.reset()  # type: ignore[attr-defined]  # every VecEnv of Isaac Lab has it; rsl_rl does not declare it
        self.seconds += time.perf_counter() - start
        return self.env.get_observations()
