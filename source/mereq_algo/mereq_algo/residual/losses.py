# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What critics, policy and successor features of residual Q-learning minimise."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.func import functional_call

from ..networks import GaussianPolicy, TanhNormal, TwinCritic
from .anchor import PriorAnchor
from .reward import LinearReward
from .successor_features import SuccessorFeatures

Batch = Mapping[str, torch.Tensor]
Stats = dict[str, torch.Tensor]


class ResidualLosses:
    """The losses, as functions of a batch and of standard normal noise.

    None draws a number, waits for the device or moves anything: what needs a state of its own is the business of
    :class:`ResidualSAC`. So they can be compiled.
    """

    def __init__(
        self,
        policy: GaussianPolicy,
        critic: TwinCritic,
        target_critic: TwinCritic,
        reward: LinearReward,
        gamma: float,
        anchor: PriorAnchor | None,
        successor_features: SuccessorFeatures | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            policy: The policy π̂.
            critic: The critics of Q_R, or of Q without a prior.
            target_critic: Those that follow them.
            reward: Reward of a sampled transition.
            gamma: Discount γ of one step.
            anchor: What the prior thinks of actions; None for plain SAC.
            successor_features: ψ, where it is learned as well.
        """
        self._policy = policy
        self._critic = critic
        self._target_critic = target_critic
        self._reward = reward
        self._gamma = gamma
        self._anchor = anchor
        self._successor_features = successor_features

    def critic(self, batch: Batch, noise: torch.Tensor, temperature: torch.Tensor) -> tuple[torch.Tensor, Stats]:
        """Return the squared error of both critics, halved and summed.

        Args:
            batch: As :meth:`ReplayBuffer.sample` returns it. Batch size: (batch,)
            noise: Which action is taken next. Shape: (batch, num_actions)
            temperature: α̂ [reward/nat]. Shape: ()

        Returns:
            The loss, with its gradient, and statistics. Shape: ()
        """
        with torch.no_grad():
            next_value = self._next_value(batch, noise, temperature)
            target = self._reward(batch) + self._gamma * (1.0 - batch["terminated"]) * next_value
        values = self._critic(batch["obs"], batch["action"])
        loss = 0.5 * (values - target).square().mean(dim=1).sum()
        return loss, {"critic_loss": loss.detach(), "q_value": values.detach().mean()}

    def _next_value(self, batch: Batch, noise: torch.Tensor, temperature: torch.Tensor) -> torch.Tensor:
        """Return a one-sample estimate of min Q_R'(s', a) + ωα log π(a|s') − α̂ log π̂(a|s'), with a ~ π̂(·|s').

        The logarithms belong to the same sample as Q_R: at the optimum their sum with it is the same for every action,
        so the estimate has no variance there. Shape: (batch,)
        """
        distribution = self._policy.distribution(batch["next_obs"])
        action, pre_tanh = distribution.at(noise)
        value = self._target_critic.min(batch["next_obs"], action) - temperature * distribution.log_prob(pre_tanh)
        if self._anchor is not None:
            value = value + self._anchor.log_prob(batch["next_prior"], pre_tanh)
        return value

    def policy(self, batch: Batch, noise: torch.Tensor, temperature: torch.Tensor) -> tuple[torch.Tensor, Stats]:
        """Return E[α̂ log π̂ − ωα log π − Q_R] on the states of a batch; arguments and result as of :meth:`critic`."""
        distribution = self._policy.distribution(batch["obs"])
        action, pre_tanh = distribution.at(noise)
        log_prob = distribution.log_prob(pre_tanh).mean()
        # Its gradient passes through the critics; one of their own weights would be wasted.
        frozen = {name: value.detach() for name, value in self._critic.named_parameters()}
        value = torch.minimum(*functional_call(self._critic, frozen, (batch["obs"], action))).mean()
        stats = {"entropy": -log_prob.detach()}
        if self._anchor is None:
            loss = temperature * log_prob - value
        else:
            # E[α̂ log π̂ − ωα log π − Q_R] = (α̂ − ωα) E[log π̂] + ωα KL(π̂‖π) − E[Q_R]. The KL is known in closed form,
            # and its gradient is 0 at π̂ = π. Sampled, it would be noise there, which Adam scales up to full steps.
            prior = TanhNormal(*batch["prior"].chunk(2, dim=-1))
            kl_to_prior = distribution.kl_divergence(prior).mean()
            # The rest of log π̃ is near 0 where π̂ is near π, so that it may be sampled.
            floor_ratio = prior.log_floor_ratio(pre_tanh, self._anchor.floor).mean()
            loss = (temperature - self._anchor.temperature) * log_prob - value
            loss = loss + self._anchor.temperature * (kl_to_prior - floor_ratio)
            stats["kl_to_prior"] = kl_to_prior.detach()
        return loss, stats | {"policy_loss": loss.detach()}

    def successor_features(self, batch: Batch, noise: torch.Tensor) -> tuple[torch.Tensor, Stats]:
        """Return the squared error of ψ(s, a), which is to be f + γ ψ(s', a'), a' ~ π̂(·|s').

        Features are scaled as the reward scales them; arguments and result as of :meth:`critic`.
        """
        psi = self._successor_features
        assert psi is not None
        with torch.no_grad():
            next_action, _ = self._policy.distribution(batch["next_obs"]).at(noise)
            goes_on = (1.0 - batch["terminated"]).unsqueeze(1)
            features = batch["features"] / self._reward.feature_scale
            target = features + self._gamma * goes_on * psi.target(batch["next_obs"], next_action)
        loss = 0.5 * (psi(batch["obs"], batch["action"]) - target).square().mean(dim=0).sum()
        return loss, {"successor_features_loss": loss.detach()}
