# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The pair of critics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from .mlp import build_mlp, zero_last_layer


@dataclass
class CriticCfg:
    """Shape of a :class:`TwinCritic`."""

    hidden_dims: tuple[int, ...] = (256, 256)
    """Width of each hidden layer. Source: measurement (erasing, before this repository)."""

    layer_norm: bool = True
    """Whether hidden layers are normalised. Source: measurement (erasing, before this repository)."""

    def __post_init__(self) -> None:
        """Accept a list from a YAML file."""
        self.hidden_dims = tuple(self.hidden_dims)


class TwinCritic(nn.Module):
    """Two independent estimates of Q(s, a), of which the smaller one is believed (Fujimoto et al. 2018).

    The last layers start at zero. So Q_R starts at exactly 0, and at θ = 0 there is nothing to unlearn.

    The two networks are evaluated one after the other: as one batched matrix product they took 15 ms instead of 13 ms
    (forward and backward, batch 1,024, one CPU core), since a batch of two blocks worse than one large matrix.
    """

    def __init__(self, num_obs: int, num_actions: int, normalizer: nn.Module, cfg: CriticCfg | None = None) -> None:
        """Build untrained critics.

        Args:
            num_obs: Width of the observation.
            num_actions: Width of the action.
            normalizer: The observation normaliser of the policy: shared, not copied, so that both see the same input.
            cfg: Shape of the networks.
        """
        super().__init__()
        self.num_obs = num_obs
        self.num_actions = num_actions
        self.cfg = cfg or CriticCfg()
        self.normalizer = normalizer
        self.mlps = nn.ModuleList(
            build_mlp(num_obs + num_actions, self.cfg.hidden_dims, 1, self.cfg.layer_norm) for _ in range(2)
        )
        for mlp in self.mlps:
            zero_last_layer(mlp)

    def forward(self, obs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """Return both estimates of Q(s, a).

        Args:
            obs: Raw observation. Shape: (batch, num_obs)
            action: Action in [-1, 1]. Shape: (batch, num_actions)

        Returns:
            Shape: (2, batch)
        """
        inputs = torch.cat((self.normalizer(obs), action), dim=-1)
        return torch.stack([mlp(inputs).squeeze(-1) for mlp in self.mlps])

    def min(self, obs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """Return the smaller of both estimates. Shape: (batch,)."""
        return torch.minimum(*self(obs, action))
