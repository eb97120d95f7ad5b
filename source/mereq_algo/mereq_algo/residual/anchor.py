# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The prior policy as the anchor of residual Q-learning."""

from __future__ import annotations

import torch
from tensordict import TensorDict

from ..networks import GaussianPolicy, TanhNormal


class PriorAnchor:
    """What the prior policy π thinks of the actions of sampled transitions.

    A prior never learns, so its distribution in a state is worked out once, when the transition is stored, and not each
    of the ten or more times that it is sampled: on a CPU that was a tenth of the time of an update.
    """

    def __init__(self, prior: GaussianPolicy, temperature: float, floor: float) -> None:
        """Freeze the prior.

        Args:
            prior: The prior policy π.
            temperature: ωα, the weight of log π [reward/nat].
            floor: ε of the uniform distribution that is mixed into π; see :meth:`TanhNormal.log_floor_ratio`.
        """
        self.prior = prior.eval().requires_grad_(False)
        self.temperature = temperature
        self.floor = floor

    @staticmethod
    def columns(num_actions: int) -> dict[str, int]:
        """Return the columns by width that a replay buffer needs beside those of a transition."""
        return {"prior": 2 * num_actions, "next_prior": 2 * num_actions}

    @torch.no_grad()
    def outputs(self, obs: torch.Tensor) -> torch.Tensor:
        """Return mean and log standard deviation of π(·|s). Shape: (batch, num_obs) to (batch, 2 num_actions)."""
        distribution = self.prior.distribution(obs)
        return torch.cat((distribution.mean, distribution.log_std), dim=1)

    def annotate(self, transitions: TensorDict) -> TensorDict:
        """Return the transitions with π(·|s) and π(·|s') beside them. Batch size: (batch,)."""
        prior, next_prior = self.outputs(torch.cat((transitions["obs"], transitions["next_obs"]))).chunk(2)
        return transitions.copy().update({"prior": prior, "next_prior": next_prior})

    def log_prob(self, outputs: torch.Tensor, pre_tanh: torch.Tensor) -> torch.Tensor:
        """Return ωα log π̃ of actions.

        Args:
            outputs: What :meth:`outputs` returned for their states. Shape: (batch, 2 num_actions)
            pre_tanh: Pre-tanh value of the actions. Shape: (batch, num_actions)

        Returns:
            Shape: (batch,)
        """
        prior = TanhNormal(*outputs.chunk(2, dim=-1))
        return self.temperature * (prior.log_prob(pre_tanh) + prior.log_floor_ratio(pre_tanh, self.floor))
