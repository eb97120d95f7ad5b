# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The reward, computed when a transition is sampled."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from tensordict import TensorDict


class LinearReward:
    """Reward ``base_weight · r + θᵀ(f / feature_scale)`` of a stored transition.

    One form for everything that is trained here: the prior (1, θ = 0), the expert (1, θ*) and the residual of MEReQ
    (0, θ). Changing ``theta`` in place changes the reward of every transition ever stored.
    """

    def __init__(self, base_weight: float, theta: torch.Tensor, feature_scale: torch.Tensor | None = None) -> None:
        """Set the weights.

        Args:
            base_weight: Weight of the task's own reward r.
            theta: Weights of the scaled features. Shape: (num_features,)
            feature_scale: Spread of each feature under the prior; ones when left out. Shape: (num_features,)
        """
        self.base_weight = base_weight
        self.theta = theta.detach().clone().float()
        scale = torch.ones_like(self.theta) if feature_scale is None else feature_scale
        self.feature_scale = scale.detach().clone().to(self.theta)
        if self.feature_scale.shape != self.theta.shape or not bool((self.feature_scale > 0).all()):
            raise ValueError(f"reward: feature_scale must be {self.theta.numel()} positive numbers, got {scale}")

    def __call__(self, transitions: TensorDict | Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the reward of each transition.

        Args:
            transitions: Needs ``base_reward`` (batch,) and ``features`` (batch, num_features).

        Returns:
            Shape: (batch,)
        """
        residual = transitions["features"] @ (self.theta / self.feature_scale)
        return residual if self.base_weight == 0.0 else self.base_weight * transitions["base_reward"] + residual

    def to(self, device: torch.device | str) -> LinearReward:
        """Move the weights to a device."""
        self.theta = self.theta.to(device)
        self.feature_scale = self.feature_scale.to(device)
        return self

    def state_dict(self) -> dict[str, torch.Tensor | float]:
        """Return the weights."""
        return {
            "base_weight": self.base_weight,
            "theta": self.theta.clone(),
            "feature_scale": self.feature_scale.clone(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Restore the weights."""
        self.base_weight = state["base_weight"]
        self.theta.copy_(state["theta"])
        self.feature_scale.copy_(state["feature_scale"])
