# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The stochastic policy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from rsl_rl.modules import EmpiricalNormalization
from torch import nn

from .mlp import build_mlp
from .tanh_normal import TanhNormal, inverse_tanh


@dataclass
class PolicyCfg:
    """Shape of a :class:`GaussianPolicy`."""

    hidden_dims: tuple[int, ...] = (256, 256)
    """Width of each hidden layer. Source: measurement (erasing, before this repository)."""

    layer_norm: bool = True
    """Whether hidden layers are normalised. Source: measurement (erasing, before this repository)."""

    min_log_std: float = -3.0
    """Smallest log standard deviation before squashing. Range: below ``max_log_std``. Source: ours. A prior that is
    narrower than e⁻³ = 0.05 would forbid the residual to move it: log π falls with the square of distance over std."""

    max_log_std: float = 0.5
    """Largest log standard deviation before squashing. Source: ours. Beyond e^0.5 = 1.65 most samples lie in the
    corners of the action space."""

    init_std: float = 0.6
    """Standard deviation before squashing of an untrained policy. Range: between the two bounds. Source: ours, wide
    enough to explore the whole action space."""

    def __post_init__(self) -> None:
        """Check that the bounds are in order."""
        self.hidden_dims = tuple(self.hidden_dims)
        if not self.min_log_std < math.log(self.init_std) < self.max_log_std:
            raise ValueError(
                f"policy: log(init_std) = {math.log(self.init_std):.2f} must lie between min_log_std ="
                f" {self.min_log_std} and max_log_std = {self.max_log_std}"
            )


class GaussianPolicy(nn.Module):
    """Tanh-squashed Gaussian policy with its observation normaliser inside.

    The normaliser learns only through :meth:`update_normalizer`. Nothing but training from scratch calls that, so a
    copy of a policy stays a copy, and an exported policy needs no second file.
    """

    def __init__(self, num_obs: int, num_actions: int, cfg: PolicyCfg | None = None) -> None:
        """Build an untrained policy.

        Args:
            num_obs: Width of the observation.
            num_actions: Width of the action.
            cfg: Shape of the network.
        """
        super().__init__()
        self.num_obs = num_obs
        self.num_actions = num_actions
        self.cfg = cfg or PolicyCfg()
        self.normalizer = EmpiricalNormalization(num_obs)
        self.mlp = build_mlp(num_obs, self.cfg.hidden_dims, 2 * num_actions, self.cfg.layer_norm)

        # A small last layer starts every state at mean 0 and std `init_std`.
        head = self.mlp[-1]
        assert isinstance(head, nn.Linear)
        with torch.no_grad():
            head.weight.mul_(0.01)
            head.bias.zero_()
            share = (math.log(self.cfg.init_std) - self.cfg.min_log_std) / (self.cfg.max_log_std - self.cfg.min_log_std)
            head.bias[num_actions:] = math.log(share / (1.0 - share))

    def distribution(self, obs: torch.Tensor) -> TanhNormal:
        """Return π(·|s).

        Args:
            obs: Raw observation. Shape: (batch, num_obs)
        """
        return TanhNormal.from_output(self.mlp(self.normalizer(obs)), self.cfg.min_log_std, self.cfg.max_log_std)

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Return the deterministic action in [-1, 1].

        Args:
            obs: Raw observation. Shape: (batch, num_obs)

        Returns:
            Shape: (batch, num_actions)
        """
        return self.distribution(obs).mode_action()

    def sample(self, obs: torch.Tensor, generator: torch.Generator | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw an action and its log-probability.

        Args:
            obs: Raw observation. Shape: (batch, num_obs)
            generator: Source of randomness; the global one when left out.

        Returns:
            action: Shape: (batch, num_actions)
            log_prob: Shape: (batch,)
        """
        distribution = self.distribution(obs)
        action, pre_tanh = distribution.rsample(generator)
        return action, distribution.log_prob(pre_tanh)

    def log_prob(self, obs: torch.Tensor, action: torch.Tensor, pre_tanh: torch.Tensor | None = None) -> torch.Tensor:
        """Return log π(a|s).

        Args:
            obs: Raw observation. Shape: (batch, num_obs)
            action: Action in [-1, 1]. Shape: (batch, num_actions)
            pre_tanh: Value whose tanh is the action, where it is known: exact in the corners, where the action itself
                has lost it to rounding. Shape: (batch, num_actions)

        Returns:
            Shape: (batch,)
        """
        return self.distribution(obs).log_prob(inverse_tanh(action) if pre_tanh is None else pre_tanh)

    @torch.no_grad()
    def update_normalizer(self, obs: torch.Tensor) -> None:
        """Learn the mean and spread of observations; rows that are not finite count as the mean.

        Args:
            obs: Raw observation. Shape: (batch, num_obs)
        """
        finite = torch.isfinite(obs).all(dim=-1, keepdim=True)
        self.normalizer.update(torch.where(finite, obs, self.normalizer._mean))
