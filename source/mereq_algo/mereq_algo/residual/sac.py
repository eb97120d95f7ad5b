# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Residual Q-learning as an actor-critic; without a prior it is plain SAC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from tensordict import TensorDict

from ..networks import GaussianPolicy, TwinCritic
from ..ranks import Ranks
from ..storage import ReplayBuffer, transition_from_step
from .anchor import PriorAnchor
from .reward import LinearReward
from .sac_cfg import ResidualSACCfg
from .successor_features import SuccessorFeatures
from .updates import NetworkUpdates

Guide = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Takes what the policy sees and its actions, and returns those to carry out.

Shapes: (num_envs, num_obs), (num_envs, num_actions), (num_envs, num_actions)
"""


class ResidualSAC:
    """Soft actor-critic on a residual reward, anchored to a prior policy.

    References:
        - Li et al. "Residual Q-learning: offline and online policy customization without value." NeurIPS 2023.
        - Haarnoja et al. "Soft actor-critic algorithms and applications." arXiv:1812.05905 (2018).
    """

    is_off_policy = True
    """Whether it may learn while the robots take a step that it does not know of yet."""

    def __init__(
        self,
        policy: GaussianPolicy,
        critic: TwinCritic,
        storage: ReplayBuffer,
        reward: LinearReward,
        num_envs: int,
        cfg: ResidualSACCfg | None = None,
        prior: GaussianPolicy | None = None,
        seed: int = 0,
        ranks: Ranks | None = None,
        successor_features: SuccessorFeatures | None = None,
    ) -> None:
        """Put the parts together; :func:`build_residual_sac` also makes them.

        Args:
            policy: The policy π̂ that learns; with a prior, a copy of it.
            critic: The critics of Q_R, or of Q without a prior.
            storage: Where transitions go; with a prior, one that has the columns of :class:`PriorAnchor`.
            reward: Reward of a sampled transition.
            num_envs: Number of robots that are stepped together.
            cfg: Settings.
            prior: The prior policy π; None for plain SAC.
            seed: Seed of the exploration and of the sampling.
            ranks: Processes that learn as one, each with ``num_envs`` robots; this one alone when left out.
            successor_features: ψ, to be learned beside, as often as the policy; nothing here uses it.
        """
        self.cfg = cfg or ResidualSACCfg()
        self.device = storage.device
        self.policy = policy.to(self.device)
        self.critic = critic.to(self.device)
        self.anchor: PriorAnchor | None = None
        if prior is not None:
            weight = self.cfg.prior_weight * self.cfg.prior_temperature
            self.anchor = PriorAnchor(prior.to(self.device), weight, self.cfg.prior_floor)
        self.storage = storage
        self.reward = reward.to(self.device)
        self.successor_features = None if successor_features is None else successor_features.to(self.device)
        self.generator = torch.Generator(self.device).manual_seed(seed)

        self.ranks = ranks or Ranks()
        num_robots = num_envs * self.ranks.world_size
        self.batch_size = max(self.cfg.schedule.batch_size(num_robots) // self.ranks.world_size, 1)
        self.updates_per_step = self.cfg.schedule.updates_per_step(num_robots)
        self.num_updates = 0
        self._updates_due = 0.0
        self._has_enough = False

        self.updates = NetworkUpdates(
            self.policy,
            self.critic,
            storage,
            self.reward,
            self.batch_size,
            self.generator,
            self.cfg,
            self.anchor,
            self.ranks,
            self.successor_features,
        )
        self._obs: torch.Tensor | None = None
        self._actions: torch.Tensor | None = None

    @property
    def prior_temperature(self) -> float:
        """ωα, the weight of log π; 0 without a prior [reward/nat]."""
        return 0.0 if self.anchor is None else self.anchor.temperature

    @property
    def temperature(self) -> torch.Tensor:
        """α̂, the temperature of the learned policy [reward/nat]. Shape: ()."""
        return self.updates.temperature

    @torch.no_grad()
    def act(self, obs: TensorDict, guide: Guide | None = None) -> torch.Tensor:
        """Sample actions for all robots and remember the step.

        Args:
            obs: Observations with the group ``policy``. Shape: (num_envs, num_obs)
            guide: May replace some of the actions by better ones; these are what is remembered.

        Returns:
            Actions in [-1, 1]; a robot whose observation is not finite stands still. Shape: (num_envs, num_actions)
        """
        # A copy, because an environment may write its next observation into the same memory.
        policy_obs = obs["policy"].clone()
        actions = self.policy.sample(policy_obs, self.generator)[0].nan_to_num(0.0)
        if guide is not None:
            actions = guide(policy_obs, actions)
        self._obs, self._actions = policy_obs, actions
        return actions

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, Any]
    ) -> TensorDict:
        """Record the step that followed :meth:`act`.

        Args:
            obs: Observations after the step, with the groups ``policy`` and ``features``.
            rewards: The task's own reward. Shape: (num_envs,)
            dones: Whether the robot was reset. Shape: (num_envs,)
            extras: Extra information of the step; see :func:`transition_from_step`.

        Returns:
            The transitions, as they were stored. Batch size: (num_envs,)
        """
        if self._obs is None or self._actions is None:
            raise RuntimeError("residual SAC: act() must come before process_env_step()")
        transition = transition_from_step(self._obs, self._actions, obs, rewards, dones, extras)
        self.store(transition)
        if self.anchor is None:
            self.policy.update_normalizer(self._obs)
        self._obs = self._actions = None
        return transition

    def start_from(self, policy: GaussianPolicy, critic: TwinCritic | None = None) -> None:
        """Take over the weights of a trained policy and, where they are given, of its critics; they must fit."""
        self.policy.load_state_dict(policy.state_dict())
        if critic is not None:
            for learned in (self.critic, self.updates.target_critic):
                learned.load_state_dict(critic.state_dict())

    @property
    def num_rejected(self) -> torch.Tensor:
        """Number of transitions that were refused because a value was not finite. Shape: ()."""
        return self.storage.num_rejected

    def begin(self) -> None:
        """Do nothing: what the replay buffer holds remains of use."""

    def store(self, transitions: TensorDict) -> None:
        """Put transitions into the replay buffer, whoever made them. Batch size: (batch,)."""
        self.storage.add(transitions if self.anchor is None else self.anchor.annotate(transitions))

    def update(self, num_updates: int | None = None) -> dict[str, torch.Tensor]:
        """Learn from the replay buffer.

        Args:
            num_updates: Number of updates; those that are due for one step of all robots when left out.

        Returns:
            Mean of each loss and statistic, on the device; empty where no update was due.
        """
        if num_updates is None:
            num_updates = self._take_updates_due()
        first, interval = self.num_updates, self.cfg.actor_interval
        moves_policy = tuple(number % interval == 0 for number in range(first, first + num_updates))
        self.num_updates += num_updates
        return self.updates(moves_policy)

    def scale_learning_rate(self, scale: float) -> None:
        """Set the learning rates of policy and critics to a multiple of the configured one. Range: > 0."""
        self.updates.scale_learning_rate(scale)

    def _take_updates_due(self) -> int:
        if not self._has_enough:
            # All ranks must begin with the same update, or they would wait for each other forever.
            offered = self.ranks.sum(torch.tensor(self.storage.num_offered, device=self.device))
            self._has_enough = int(offered) >= self.cfg.learning_starts
        if not self._has_enough:
            return 0
        self._updates_due += self.updates_per_step
        num_updates = int(self._updates_due)
        self._updates_due -= num_updates
        return num_updates

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on as if never interrupted; the prior is not part of it.

        It loads with ``torch.load(..., weights_only=True)``.
        """
        return {
            "policy": self.policy.state_dict(),
            "critic": self.critic.state_dict(),
            **self.updates.state_dict(),
            "generator": self.generator.get_state(),
            "num_updates": self.num_updates,
            "updates_due": self._updates_due,
            "reward": self.reward.state_dict(),
            "storage": self.storage.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.policy.load_state_dict(state["policy"])
        self.critic.load_state_dict(state["critic"])
        self.updates.load_state_dict(state)
        self.generator.set_state(state["generator"].cpu())
        self.num_updates = state["num_updates"]
        self._updates_due = state["updates_due"]
        self.reward.load_state_dict(state["reward"])
        self.storage.load_state_dict(state["storage"])
