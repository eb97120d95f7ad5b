# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One step of all robots and the updates that are due for it, side by side where that saves time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from ..networks import GaussianPolicy
from .reward import LinearReward
from .sac import Guide


class Algorithm(Protocol):
    """What learns a policy from the steps of many robots: :class:`ResidualSAC` or :class:`OnPolicyLearning`."""

    is_off_policy: bool
    device: torch.device
    policy: GaussianPolicy
    reward: LinearReward

    def begin(self) -> None:
        """Prepare for a series of steps."""

    def act(self, obs: TensorDict, guide: Guide | None = None) -> torch.Tensor:
        """Sample actions for all robots; see :meth:`ResidualSAC.act`."""
        ...

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, Any]
    ) -> TensorDict:
        """Record the step that followed; see :meth:`ResidualSAC.process_env_step`."""
        ...

    def update(self) -> dict[str, torch.Tensor]:
        """Learn what is due, and return losses and statistics."""
        ...

    def scale_learning_rate(self, scale: float) -> None:
        """Set how fast it learns to a multiple of the configured pace. Range: > 0."""


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

    The updates run while the simulation steps: on a CPU, of which the simulation keeps one core busy, in a thread of
    their own; on a GPU, which the simulation never fills, on a stream of their own. They learn from the transitions up
    to the step before, and the policy acts again only when they are done: which numbers come out does not depend on
    which of both is faster. Those of an on-policy algorithm, which learns from steps of its newest policy only, follow
    the step.

    Use it as a context manager: the thread ends with it.
    """

    def __init__(self, env: VecEnv, algorithm: Algorithm, guide: Guide | None = None) -> None:
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
        self._stream: torch.cuda.Stream | None = None

    def __enter__(self) -> LearningLoop:
        """Start the thread, or open the stream."""
        self._algorithm.begin()
        if self._algorithm.is_off_policy and self._algorithm.device.type == "cpu":
            # A new thread of PyTorch takes all cores unless told; those that wait spin, which slows simulation.
            self._thread = ThreadPoolExecutor(1, "updates", torch.set_num_threads, (torch.get_num_threads(),))
        elif self._algorithm.is_off_policy:
            self._stream = torch.cuda.Stream(self._algorithm.device)
        return self

    def __exit__(self, *exc: object) -> None:
        """Wait for an update in progress, and end the thread."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None

    def step(self) -> LearningStep:
        """Let every robot take one step, and make the updates that are due for one step."""
        actions = self._algorithm.act(self._obs, self._guide)
        updates = self._start_updates()
        result = self._env.step(actions)
        stats = updates() if updates is not None else {}
        transition = self._algorithm.process_env_step(*result)
        if updates is None:
            stats = self._algorithm.update()
        self._obs = result[0]
        return LearningStep(self._obs, transition, result[3], stats)

    def _start_updates(self) -> Callable[[], dict[str, torch.Tensor]] | None:
        """Start the updates that may run beside a step, and return what waits for them; None where none may."""
        if self._thread is not None:
            return self._thread.submit(self._algorithm.update).result
        stream = self._stream
        if stream is None:
            return None
        simulation = torch.cuda.current_stream(stream.device)
        stream.wait_stream(simulation)
        with torch.cuda.stream(stream):
            stats = self._algorithm.update()

        def wait() -> dict[str, torch.Tensor]:
            simulation.wait_stream(stream)
            return stats

        return wait
