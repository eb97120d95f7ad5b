# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Episodes as they are filmed: states instead of pictures, so that they can be drawn later, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from mereq_algo.intervention import Person, PersonDecision, collect_supervised_rollout, count_takeovers
from mereq_algo.networks import GaussianPolicy
from mereq_algo.runner.env_wrapper import EnvWrapper


class Stage(Protocol):
    """What a task offers to be filmed; ``mereq_tasks.view.Stage`` for those of Isaac Lab."""

    def snapshot(self) -> TensorDict:
        """Return all that :meth:`show` needs, and the figure to watch as ``trace``. Batch size: (num_envs,)."""
        ...

    def between(self, first: TensorDict, second: TensorDict, share: float) -> TensorDict:
        """Return the snapshot at a share in [0, 1] of the time between two."""
        ...

    def show(self, snapshot: TensorDict) -> torch.Tensor:
        """Draw a snapshot of every robot. Returns shape: (num_envs, height, width, 3), dtype: uint8."""
        ...


@dataclass
class FilmedEpisode:
    """One episode of one policy."""

    snapshots: TensorDict
    """The state before each step. Batch size: (num_steps,)"""

    in_control: torch.Tensor
    """Whether the person acted in the step. Shape: (num_steps,)"""

    success: bool
    """Whether the task calls the episode a success."""

    @property
    def num_steps(self) -> int:
        """Number of steps."""
        return len(self.in_control)

    @property
    def num_takeovers(self) -> int:
        """Return how often the person took over."""
        return self.takeovers_until(self.num_steps)

    def takeovers_until(self, step: int) -> int:
        """Return how often the person has taken over in the first few steps."""
        return count_takeovers(self.in_control[:step])


class _Nobody:
    """Watches and never takes over."""

    def reset(self, done: torch.Tensor) -> None:
        pass

    def observe(self, obs: TensorDict, robot_action: torch.Tensor) -> PersonDecision:
        return PersonDecision(torch.zeros(len(robot_action), dtype=torch.bool, device=obs.device), robot_action)


class _FilmedEnv(EnvWrapper):
    """Takes a snapshot before every step, and notes how episodes end."""

    def __init__(self, env: VecEnv, stage: Stage, success_column: int) -> None:
        super().__init__(env)
        self._stage = stage
        self._success_column = success_column
        self.snapshots: list[TensorDict] = []
        self.success: list[torch.Tensor] = []

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        self.snapshots.append(self._stage.snapshot().cpu())
        result = super().step(actions)
        dones, extras = result[2].bool(), result[3]
        ended_well = torch.zeros_like(dones)
        if bool(dones.any()):
            ended_well = dones & (extras["final_obs"]["metrics"][:, self._success_column] > 0.5)
        self.success.append(ended_well.cpu())
        return result


def film_episodes(
    env: VecEnv,
    stage: Stage,
    policy: GaussianPolicy,
    metric_names: Sequence[str],
    episodes: int,
    seed: int,
    person: Person | None = None,
    deterministic: bool = False,
) -> list[FilmedEpisode]:
    """Run whole episodes of a policy, as many at once as there are robots.

    Two policies that are filmed with the same seed start in the same states, robot by robot: everything that a reset
    draws comes from torch's global generator, which is seeded before it.

    Args:
        env: The environment; it is reset.
        stage: Takes down its states.
        policy: Drives the robots.
        metric_names: Columns of the observation group ``metrics``; ``success`` is one of them.
        episodes: Number of episodes.
        seed: Seed of the initial states and of exploration.
        person: Who supervises all robots; nobody when left out.
        deterministic: Whether to take mean actions instead of sampling.

    Returns:
        The episodes.
    """
    filmed: list[FilmedEpisode] = []
    for index in range(-(-episodes // env.num_envs)):
        torch.manual_seed(seed + index)
        filmed_env = _FilmedEnv(env, stage, list(metric_names).index("success"))
        filmed_env.reset()
        generator = None if deterministic else torch.Generator(env.device).manual_seed(seed + index)
        rollout = collect_supervised_rollout(filmed_env, policy, person or _Nobody(), env.num_envs, generator=generator)
        snapshots, success = TensorDict.stack(filmed_env.snapshots), torch.stack(filmed_env.success)
        for robot in range(env.num_envs):
            steps = (rollout.episode[:, robot] == 0).cpu()
            filmed.append(
                FilmedEpisode(
                    snapshots[:, robot][steps],
                    rollout.in_control[:, robot].cpu()[steps],
                    bool(success[:, robot][steps].any()),
                )
            )
    return filmed[:episodes]
