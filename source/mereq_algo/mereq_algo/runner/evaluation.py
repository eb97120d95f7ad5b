# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How good a policy is: whole episodes, by the task's own figures and by the person's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from ..irl import EpisodeMeans
from ..networks import GaussianPolicy
from ..records.evaluation_table import MEAN, NUM_BINS, SAMPLED, Estimate, Evaluation
from ..records.task_spec import TaskSpec
from ..storage import BrokenPhysicsError, transition_from_step


class EpisodeRecorder:
    """Sums up rewards and features of each robot, and keeps the figures of every episode that ends."""

    def __init__(self, spec: TaskSpec, num_robots: int, device: torch.device | str, num_episodes: int) -> None:
        """Start all robots at the beginning of an episode.

        Args:
            spec: Names and true weights of the task.
            num_robots: Number of robots that are recorded.
            device: Where they are.
            num_episodes: How many episodes count. Which robots have how many of them is settled beforehand: the first
                ones to end are those that failed early.
        """
        robot = torch.arange(num_robots, device=device)
        self._left = num_episodes // num_robots + (robot < num_episodes % num_robots).long()
        self._spec = spec
        self._theta_star = spec.theta_star.to(device)
        self._reward = torch.zeros(num_robots, device=device)
        self._features = torch.zeros(num_robots, len(spec.feature_names), device=device)
        self._steps = torch.zeros(num_robots, device=device)
        self._counts = torch.zeros(num_robots, len(spec.feature_names) * NUM_BINS, device=device)
        self._starts = torch.zeros(num_robots, len(spec.feature_names), device=device)
        self._finished_starts: list[torch.Tensor] = []
        self._finished: list[torch.Tensor] = []
        self._finished_counts: list[torch.Tensor] = []
        self.num_finished = 0
        self.num_broken = 0

    def add(self, transition: TensorDict, done: torch.Tensor, extras: dict[str, Any], robots: slice) -> None:
        """Take in one step of the recorded robots.

        Args:
            transition: What :func:`transition_from_step` made of their step.
            done: Whether the robot's episode ended with it. Shape: (num_robots,)
            extras: Of the step of all robots; ``final_obs["metrics"]`` is read, and ``broken``, whose physics broke,
                where there is one.
            robots: Which robots of the environment are recorded.
        """
        self._starts = torch.where((self._steps == 0).unsqueeze(1), transition["features"], self._starts)
        self._reward += transition["base_reward"]
        self._features += transition["features"]
        self._steps += 1
        bins = (transition["features"] * NUM_BINS).nan_to_num(0.0).long().clamp(0, NUM_BINS - 1)
        bins += NUM_BINS * torch.arange(bins.shape[1], device=bins.device)
        self._counts.scatter_add_(1, bins, torch.ones_like(bins, dtype=self._counts.dtype))
        ended = (done.bool() & (self._left > 0)).nonzero().flatten()
        self._left[ended] -= 1
        if len(ended) == 0:
            return
        metrics = extras["final_obs"]["metrics"][robots][ended]
        reward, features, steps = self._reward[ended], self._features[ended], self._steps[ended]
        rows = torch.cat(
            (
                reward.unsqueeze(1),
                (reward + features @ self._theta_star).unsqueeze(1),
                features / steps.unsqueeze(1),
                metrics,
            ),
            dim=1,
        )
        whole = torch.isfinite(rows).all(dim=1)
        if "broken" in extras:
            whole &= ~extras["broken"][robots][ended]
        self.num_broken += int((~whole).sum())
        self._finished.append(rows[whole].cpu())
        self._finished_counts.append(self._counts[ended][whole].cpu())
        self._finished_starts.append(self._starts[ended][whole].cpu())
        self.num_finished += int(whole.sum())
        self._reward[ended] = 0.0
        self._features[ended] = 0.0
        self._counts[ended] = 0.0
        self._steps[ended] = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether all episodes that count have ended."""
        return not bool((self._left > 0).any())

    def episode_means(self) -> EpisodeMeans:
        """Return the start and the mean features of each finished episode, on the CPU."""
        features = torch.cat(self._finished)[:, 2 : 2 + len(self._spec.feature_names)]
        return EpisodeMeans(torch.cat(self._finished_starts), features)

    def result(self) -> Evaluation:
        """Summarise the episodes that ended.

        Raises:
            BrokenPhysicsError: Not one episode was whole and finite.
        """
        if self.num_finished == 0:
            raise BrokenPhysicsError(f"physics broke: not one of {self.num_broken} episodes is whole and finite")
        rows = torch.cat(self._finished)
        counts = torch.cat(self._finished_counts).sum(dim=0).long().view(-1, NUM_BINS)
        num_features = len(self._spec.feature_names)
        columns = [Estimate.of(column) for column in rows.T]
        return Evaluation(
            episodes=len(rows),
            return_prior_reward=columns[0],
            return_expert_reward=columns[1],
            features=dict(zip(self._spec.feature_names, columns[2 : 2 + num_features], strict=True)),
            metrics=dict(zip(self._spec.metric_names, columns[2 + num_features :], strict=True)),
            histograms=dict(zip(self._spec.feature_names, counts.tolist(), strict=True)),
            num_broken=self.num_broken,
        )


@torch.no_grad()
def evaluate(
    env: VecEnv,
    policies: dict[str, GaussianPolicy],
    spec: TaskSpec,
    episodes: int,
    generator: torch.Generator | None = None,
) -> dict[str, Evaluation]:
    """Run policies side by side, each on its own block of robots, from freshly reset robots.

    How many whole episodes of which robot count is settled beforehand, so short episodes are not over-represented.

    Args:
        env: The environment, just reset.
        policies: Policies by name.
        spec: Names and true weights of the task.
        episodes: Number of episodes of each policy.
        generator: Source of exploration; without one policies take their mean action, as on the arm.

    Returns:
        Figures by policy name.

    Raises:
        ValueError: There are fewer robots than policies.
    """
    block = env.num_envs // len(policies)
    if block == 0:
        raise ValueError(f"evaluation: {len(policies)} policies need as many robots, there are {env.num_envs}")
    blocks = {name: slice(i * block, (i + 1) * block) for i, name in enumerate(policies)}
    rounds = -(-episodes // block)
    recorders = {name: EpisodeRecorder(spec, block, env.device, episodes) for name in policies}
    obs = env.get_observations()
    action = torch.zeros(env.num_envs, env.num_actions, device=env.device)
    for _ in range(rounds * int(torch.as_tensor(env.max_episode_length).max())):
        obs = obs.clone()
        for name, robots in blocks.items():
            seen, policy = obs["policy"][robots], policies[name]
            action[robots] = policy(seen) if generator is None else policy.sample(seen, generator)[0]
        action = action.nan_to_num(0.0)
        next_obs, rewards, dones, extras = env.step(action)
        transition = transition_from_step(obs["policy"], action, next_obs, rewards, dones, extras)
        for name, robots in blocks.items():
            recorders[name].add(transition[robots], dones[robots], extras, robots)
        obs = next_obs
    actions = MEAN if generator is None else SAMPLED
    return {name: replace(recorder.result(), actions=actions) for name, recorder in recorders.items()}
