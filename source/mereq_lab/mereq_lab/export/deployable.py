# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A policy as one function of tensors: the observation's normaliser and the action's squashing are inside."""

from __future__ import annotations

import torch
from torch import nn

from mereq_algo.networks import GaussianPolicy


class DeterministicPolicy(nn.Module):
    """Observation to mean action."""

    inputs = ("observation",)
    outputs = ("action",)

    def __init__(self, policy: GaussianPolicy) -> None:
        """Wrap a policy; its weights are shared."""
        super().__init__()
        self.policy = policy

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Return actions in [-1, 1]. Shapes: (batch, num_obs) and (batch, num_actions)."""
        return self.policy(observation)


class SamplingPolicy(nn.Module):
    """Observation and noise to an action: the caller owns the randomness, so a run can be repeated."""

    inputs = ("observation", "noise")
    outputs = ("action",)

    def __init__(self, policy: GaussianPolicy) -> None:
        """Wrap a policy; its weights are shared."""
        super().__init__()
        self.policy = policy

    def forward(self, observation: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return actions in [-1, 1].

        Args:
            observation: Shape: (batch, num_obs)
            noise: Of the standard normal distribution. Shape: (batch, num_actions)

        Returns:
            Shape: (batch, num_actions)
        """
        distribution = self.policy.distribution(observation)
        return (distribution.mean + distribution.log_std.exp() * noise).tanh()
