# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What an action leads to, in features."""

from __future__ import annotations

import copy

import torch
from torch import nn

from ..networks import CriticCfg, GaussianPolicy
from ..networks.mlp import build_mlp, zero_last_layer


class SuccessorFeatures(nn.Module):
    """ψ(s, a) = E[Σ γᵗ f_t], the discounted features that follow an action under the policy that learns.

    It is a critic with the features in the place of the reward: θᵀψ is the part of Q that θ pays for, whatever θ is.
    Its last layer starts at zero.

    References:
        - Barreto et al. "Successor features for transfer in reinforcement learning." NeurIPS 2017.
        - Filos et al. "PsiPhi-learning: reinforcement learning with demonstrations using successor features and inverse
          temporal difference learning." ICML 2021.
    """

    def __init__(self, policy: GaussianPolicy, num_features: int, cfg: CriticCfg) -> None:
        """Build an untrained network and its target network.

        Args:
            policy: Gives the widths of observation and action, and the observation normaliser, which is shared.
            num_features: Width of the features.
            cfg: Shape of the network.
        """
        super().__init__()
        self.normalizer = policy.normalizer
        self.mlp = build_mlp(policy.num_obs + policy.num_actions, cfg.hidden_dims, num_features, cfg.layer_norm)
        zero_last_layer(self.mlp)
        self.target_mlp = copy.deepcopy(self.mlp).requires_grad_(False)

    def forward(self, obs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """Return ψ(s, a). Shapes: (batch, num_obs), (batch, num_actions) to (batch, num_features)."""
        return self.mlp(self._inputs(obs, action))

    def target(self, obs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """Return ψ(s, a) of the target network, which changes slowly; shapes as of :meth:`forward`."""
        return self.target_mlp(self._inputs(obs, action))

    def _inputs(self, obs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return torch.cat((self.normalizer(obs), action), dim=-1)

    @torch.no_grad()
    def advantage(
        self,
        policy: GaussianPolicy,
        obs: torch.Tensor,
        action: torch.Tensor,
        generator: torch.Generator,
        num_samples: int = 8,
    ) -> torch.Tensor:
        """Return ψ(s, a) − E[ψ(s, a')], a' ~ π̂(·|s): how much more of each feature an action brings than the policy's.

        Args:
            policy: The policy π̂.
            obs: Raw observation. Shape: (batch, num_obs)
            action: Action in [-1, 1]. Shape: (batch, num_actions)
            generator: Source of randomness.
            num_samples: Actions of the policy in each state.

        Returns:
            Shape: (batch, num_features)
        """
        expected = torch.stack([self.target(obs, policy.sample(obs, generator)[0]) for _ in range(num_samples)]).mean(
            dim=0
        )
        return self.target(obs, action) - expected
