# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Keeps simulated robots to the clock on the wall."""

from __future__ import annotations

import time
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from mereq_algo.runner.env_wrapper import EnvWrapper


class RealtimeEnv(EnvWrapper):
    """Steps at a fixed rate, and counts the steps that were not done in time."""

    def __init__(self, env: VecEnv, step_s: float) -> None:
        """Wrap an environment.

        Args:
            env: The environment.
            step_s: Time of a step [s].
        """
        super().__init__(env)
        self.step_s = step_s
        self.num_steps = 0
        """Steps so far."""
        self.num_missed = 0
        """Steps that ended after the next should have begun."""
        self.busy_s = 0.0
        """What the last step took [s]."""
        self._due: float | None = None

    def restart_clock(self) -> None:
        """Let the next step begin now: what went by was a pause."""
        self._due = None

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Step all robots, and wait until the step's time is over; see :class:`rsl_rl.env.VecEnv`.

        Whoever is late goes on at once, and does not catch up: a robot that runs faster than time cannot be steered.
        """
        start = time.monotonic()
        # What came since the last step ended, the policy and the page, is part of this one.
        due = start + self.step_s if self._due is None else self._due + self.step_s
        result = super().step(actions)
        now = time.monotonic()
        self.busy_s = now - (due - self.step_s)
        self.num_steps += 1
        if now > due:
            self.num_missed += 1
            due = now
        else:
            time.sleep(due - now)
        self._due = due
        return result
