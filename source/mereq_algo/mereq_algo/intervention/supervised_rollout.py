# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whole episodes under supervision, with a flag on every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from ..networks import GaussianPolicy
from ..storage import before_reset, transition_from_step
from .person import Person
from .takeovers import count_takeovers


@dataclass
class SupervisedRollout:
    """What happened, step by step, to every supervised robot.

    Robots finish at different times. Steps outside of a robot's episodes are in the tensors but not ``valid``.
    """

    transitions: TensorDict
    """What was carried out and what followed, as :func:`transition_from_step` gives it: ``obs``, ``action``,
    ``features``, ``base_reward``, ``next_obs``, ``terminated``. Batch size: (num_steps, num_supervised)"""

    robot_action: torch.Tensor
    """What the robot would have done. Shape: (num_steps, num_supervised, num_actions)"""

    in_control: torch.Tensor
    """Whether the person acted. Shape: (num_steps, num_supervised)"""

    done: torch.Tensor
    """Whether the step ended an episode. Shape: (num_steps, num_supervised)"""

    episode: torch.Tensor
    """Number of the episode, from 0 for each robot, -1 outside of them. Shape: (num_steps, num_supervised)"""

    metrics: torch.Tensor | None = None
    """The task's own figures of the episode so far, of tasks that have any. Shape: (num_steps, num_supervised, ...)"""

    reward_terms: torch.Tensor | None = None
    """What each term of the task's own reward came to in the step, of environments that tell (``reward_terms`` in the
    extras); they add up to ``base_reward``. Shape: (num_steps, num_supervised, num_terms)"""

    @property
    def valid(self) -> torch.Tensor:
        """Whether the step belongs to an episode and everything measured in it is finite."""
        measured = torch.cat((self.transitions["obs"], self.transitions["features"]), dim=-1)
        return (self.episode >= 0) & torch.isfinite(measured).all(dim=-1)

    @property
    def num_steps(self) -> int:
        """Number of supervised steps, all robots together."""
        return int(self.valid.sum())

    @property
    def expert_samples(self) -> int:
        """Number of steps that the person controlled: the price of the method."""
        return int((self.in_control & self.valid).sum())

    @property
    def intervention_rate(self) -> float:
        """Share of the steps that the person controlled; 0 without any step."""
        return self.expert_samples / max(self.num_steps, 1)

    @property
    def num_takeovers(self) -> int:
        """Number of times that the person took over."""
        return count_takeovers(self.in_control, self.done)

    @property
    def num_supervised(self) -> int:
        """Number of robots."""
        return self.in_control.shape[1]

    def of_first(self, num_robots: int) -> SupervisedRollout:
        """Return the part of the first few robots."""
        robots = slice(0, num_robots)
        return SupervisedRollout(
            transitions=self.transitions[:, robots],
            robot_action=self.robot_action[:, robots],
            in_control=self.in_control[:, robots],
            done=self.done[:, robots],
            episode=self.episode[:, robots],
            metrics=None if self.metrics is None else self.metrics[:, robots],
            reward_terms=None if self.reward_terms is None else self.reward_terms[:, robots],
        )

    def episode_names(self) -> torch.Tensor:
        """Return a number that tells each episode from those of all robots. Shape: (num_steps, num_supervised)."""
        return self.episode * self.num_supervised + torch.arange(self.num_supervised, device=self.episode.device)

    def sums_by_episode(
        self, values: torch.Tensor, counts: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Add up values, episode by episode.

        Args:
            values: Any values of each step. Shape: (num_steps, num_supervised, ...)
            counts: Which steps count. Shape: (num_steps, num_supervised)

        Returns:
            On the CPU, of the episodes that have steps that count: names as :meth:`episode_names` gives them, the
            sums, and how many steps those are of. Shapes: (num_episodes,), (num_episodes, ...), (num_episodes,)
        """
        chosen = values[counts].cpu()
        names, index, num_steps = self.episode_names()[counts].cpu().unique(return_inverse=True, return_counts=True)
        return names, chosen.new_zeros(len(names), *chosen.shape[1:]).index_add_(0, index, chosen), num_steps

    def first_transitions(self, names: torch.Tensor) -> TensorDict:
        """Return the first transition of each of some episodes.

        Args:
            names: As :meth:`episode_names` gives them. Shape: (num_episodes,)

        Returns:
            Batch size: (num_episodes,)
        """
        robots = (names % self.num_supervised).to(self.episode.device)
        episodes = (names // self.num_supervised).to(self.episode.device)
        steps = (self.episode[:, robots] == episodes).int().argmax(dim=0)
        return self.transitions[steps, robots]

    def steps_per_episode(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Count steps, episode by episode.

        Returns:
            Steps that the person controlled, and all steps. Shape of both: (num_episodes,)
        """
        _, num_controlled, num_steps = self.sums_by_episode(self.in_control.long(), self.valid)
        return num_controlled, num_steps

    def valid_transitions(self) -> TensorDict:
        """Return the transitions of all episodes, for a replay buffer. Batch size: (num_steps,)."""
        return self.transitions[self.valid]


@torch.no_grad()
def collect_supervised_rollout(
    env: VecEnv,
    policy: GaussianPolicy,
    person: Person,
    num_supervised: int,
    episodes_per_robot: int = 1,
    generator: torch.Generator | None = None,
    on_step: Callable[[TensorDict, torch.Tensor, dict[str, Any]], None] | None = None,
    on_episode: Callable[[SupervisedRollout], None] | None = None,
    is_enough: Callable[[], bool] = lambda: True,
) -> SupervisedRollout:
    """Let the person watch the first ``num_supervised`` robots for whole episodes.

    A robot in the middle of an episode finishes it unsupervised first. The other robots just run the policy.

    Args:
        env: The environment; its ``episode_length_buf`` tells which robots are at the start of an episode.
        policy: The policy that drives the robots.
        person: Who supervises.
        num_supervised: Number of robots that the person supervises.
        episodes_per_robot: Whole episodes of each of them.
        generator: Source of the policy's exploration; without one the robots take the mean action.
        on_step: Called after each step with the transitions of *all* robots as they were carried out, with ``dones``
            and with ``extras``: the robots that nobody supervises are good for learning and for evaluation.
        on_episode: Called after each step that ended a supervised episode, with the rollout so far: other robots may
            be in the middle of theirs for a long time.
        is_enough: Whether the other robots have shown enough; until then all run on when nobody is supervised any
            longer. A robot alone may need far longer for an episode than one that a person helps.

    Returns:
        The rollout of the supervised robots.

    Raises:
        ValueError: If there are fewer robots than shall be supervised.
        RuntimeError: If an episode lasts longer than the environment's ``max_episode_length``.
    """
    if not 1 <= num_supervised <= env.num_envs or episodes_per_robot < 1:
        raise ValueError(
            f"supervised rollout: needs 1 to {env.num_envs} supervised robots and at least 1 episode, got"
            f" {num_supervised} and {episodes_per_robot}"
        )
    supervised = slice(0, num_supervised)
    # -1 until a robot's first whole episode begins.
    episode = torch.where(env.episode_length_buf[supervised] == 0, 0, -1).to(env.device)
    person.reset(torch.ones_like(episode, dtype=torch.bool))
    steps: list[TensorDict] = []
    max_steps = (episodes_per_robot + 1) * int(torch.as_tensor(env.max_episode_length).max())

    obs = env.get_observations()
    while bool((episode < episodes_per_robot).any()) or not is_enough():
        if len(steps) == max_steps:
            raise RuntimeError(f"supervised rollout: episodes not over after {max_steps} steps of the environment")
        obs = obs.clone()  # an environment may write its next observation into the same memory
        under_watch = (episode >= 0) & (episode < episodes_per_robot)
        robot_action = policy(obs["policy"]) if generator is None else policy.sample(obs["policy"], generator)[0]
        robot_action = robot_action.nan_to_num(0.0)
        decision = person.observe(obs[supervised], robot_action[supervised])
        in_control = decision.in_control & under_watch
        action = robot_action.clone()
        action[supervised] = torch.where(in_control.unsqueeze(-1), decision.action, robot_action[supervised])

        next_obs, rewards, dones, extras = env.step(action)
        transition = transition_from_step(obs["policy"], action, next_obs, rewards, dones, extras)
        done = dones[supervised].bool()
        step = {
            "transition": transition[supervised],
            "robot_action": robot_action[supervised],
            "in_control": in_control,
            "done": done,
            "episode": torch.where(under_watch, episode, -1),
        }
        if "metrics" in next_obs.keys():  # noqa: SIM118 (a TensorDict iterates over its batch)
            step["metrics"] = before_reset("metrics", next_obs, dones, extras)[supervised]
        if "reward_terms" in extras:
            step["reward_terms"] = extras["reward_terms"][supervised]
        steps.append(TensorDict(step, batch_size=[num_supervised]))
        if on_episode is not None and bool((done & under_watch).any()):
            on_episode(_rollout_of_steps(steps))
        if on_step is not None:
            on_step(transition, dones, extras)
        episode = episode + done
        person.reset(done)
        obs = next_obs
    return _rollout_of_steps(steps)


def _rollout_of_steps(steps: list[TensorDict]) -> SupervisedRollout:
    stacked = TensorDict.stack(steps)
    return SupervisedRollout(
        transitions=stacked["transition"],
        robot_action=stacked["robot_action"],
        in_control=stacked["in_control"],
        done=stacked["done"],
        episode=stacked["episode"],
        metrics=stacked.get("metrics", None),
        reward_terms=stacked.get("reward_terms", None),
    )
