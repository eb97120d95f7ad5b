# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One step of all robots and the updates that are due for it, side by side where that saves time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from .sac import Guide, ResidualSAC


@dataclass
class LearningStep:
    """What one step of all robots brought."""

    obs: TensorDict
    """Observations after the step. Batch size: (num_envs,)"""

    transition: TensorDict
    """The transitions, as they were stored. Batch size: (num_envs,)"""

    extras: dict[str, Any]
    """Extra information of the environment."""

    stats: dict[str, torch.Tensor]
    """Losses and statistics of the updates; empty where none was due."""


class LearningLoop:
    """Steps an environment and learns from it.

    On a CPU the simulation keeps one core busy, so the updates run in a thread of their own while it steps. They learn
    from the transitions up to the step before, and the policy acts again only when they are done: which numbers come
    out does not depend on which of both is faster. A GPU queues its work anyway; there the updates follow the step.

    Use it as a context manager: the thread ends with it.
    """

    def __init__(self, env: VecEnv, algorithm: ResidualSAC, guide: Guide | None = None) -> None:
        """Prepare the loop.

        Args:
            env: The environment.
            algorithm: What acts and learns.
            guide: Acts in its place on some robots; see :meth:`ResidualSAC.act`.
        """
        self._env = env
        self._algorithm = algorithm
        self._guide = guide
        self._obs = env.get_observations()
        self._thread: ThreadPoolExecutor | None = None

    def __enter__(self) -> LearningLoop:
        """Start the thread."""
        if self._algorithm.device.type == "cpu":
            # A new thread of PyTorch takes all cores unless told; those that wait spin, which slows simulation.
            self._thread = ThreadPoolExecutor(1, "updates", torch.set_num_threads, (torch.get_num_threads(),))
        return self

    def __exit__(self, *exc: object) -> None:
        """Wait for an update in progress, and end the thread."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None

    def step(self) -> LearningStep:
        """Let every robot take one step, and make the updates that are due for one step."""
        actions = self._algorithm.act(self._obs, self._guide)
        if self._thread is None:
            result = self._env.step(actions)
            transition = self._algorithm.process_env_step(*result)
            stats = self._algorithm.update()
        else:
            updates = self._thread.submit(self._algorithm.update)
            result = self._env.step(actions)
            stats = updates.result()
            transition = self._algorithm.process_env_step(*result)
        self._obs = result[0]
        return LearningStep(self._obs, transition, result[3], stats)
