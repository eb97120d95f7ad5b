# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Maximum-entropy inverse reinforcement learning of the residual reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass
class MaxEntIRLCfg:
    """Settings of :class:`MaxEntIRL`."""

    learning_rate: float = 0.05
    """Step size of Adam on θ [reward per scaled feature]. Range: > 0. Source: ours. Features and rewards of a step are
    of order one, so 20 steps reach any sensible θ."""

    momentum: float = 0.5
    """Adam's β₁. Range: [0, 1). Source: ours: below the usual 0.9, because the learner's features already lag behind θ,
    and two lags in a row overshoot."""

    max_step: float = 0.2
    """Longest change ‖Δθ‖ of one step: a trust region, in which Q_R stays a good start. Range: > 0. Source: ours."""

    l2: float = 0.0
    """Weight of ½‖θ‖² in the loss; decides where features are collinear. Range: >= 0. Source: ours."""

    tolerance: float = 0.05
    """ε: converged when ‖∇θ‖ is below it [scaled features]. Range: > 0. Source: ours."""

    scale_floor: float = 0.05
    """Smallest spread that a feature is scaled by [unit of the features]. Range: > 0. Source: ours: a feature that
    never moves under the prior must not become infinitely heavy when it does."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if min(self.learning_rate, self.max_step, self.tolerance, self.scale_floor) <= 0.0 or self.l2 < 0.0:
            raise ValueError(
                "max-ent IRL: needs learning_rate, max_step, tolerance and scale_floor above 0 and l2 of at least 0"
            )


def feature_scale(features: torch.Tensor, floor: float) -> torch.Tensor:
    """Return the spread of each feature, by which one step size serves every task.

    Args:
        features: Features of transitions under the prior; rows that are not finite are left out.
            Shape: (num_samples, num_features)
        floor: Smallest spread.

    Returns:
        Standard deviations. Shape: (num_features,)
    """
    finite = features[torch.isfinite(features).all(dim=-1)]
    return finite.std(dim=0, correction=0).clamp(min=floor)


class MaxEntIRL:
    """Learns θ such that the learner's features match those that the person wants.

    The log-likelihood of the person's behaviour under the max-ent policy of r + θᵀf is concave in θ, with the gradient
    ∇θ = φ* − f̄(π̂) (Ziebart et al. 2008). All features here are divided by their spread under the prior.

    Reference:
        - "MEReQ: max-ent residual-Q inverse RL for sample-efficient alignment from intervention." CoRL 2025, PMLR 305.
    """

    def __init__(self, feature_scale: torch.Tensor, cfg: MaxEntIRLCfg | None = None) -> None:
        """Start at θ = 0, where the prior is the answer.

        Args:
            feature_scale: Spread of each feature under the prior. Shape: (num_features,)
            cfg: Settings.
        """
        self.cfg = cfg or MaxEntIRLCfg()
        self.feature_scale = feature_scale.detach().clone()
        self.theta = torch.zeros_like(self.feature_scale)
        """Weights of the scaled features. Shape: (num_features,)"""
        self._optimizer = torch.optim.Adam([self.theta], lr=self.cfg.learning_rate, betas=(self.cfg.momentum, 0.99))

    def gradient(self, target_features: torch.Tensor, learner_features: torch.Tensor) -> torch.Tensor:
        """Return ∇θ = φ* − f̄(π̂) in scaled features.

        Args:
            target_features: φ*, unscaled. Shape: (num_features,)
            learner_features: f̄(π̂), unscaled. Shape: (num_features,)
        """
        return (target_features - learner_features).to(self.theta) / self.feature_scale

    def is_converged(self, gradient: torch.Tensor) -> bool:
        """Return whether ‖∇θ‖ < ε."""
        return float(gradient.norm()) < self.cfg.tolerance

    def step(self, gradient: torch.Tensor) -> torch.Tensor:
        """Move θ along the gradient.

        Args:
            gradient: As from :meth:`gradient`. Shape: (num_features,)

        Returns:
            The new θ. Shape: (num_features,)
        """
        before = self.theta.clone()
        self.theta.grad = self.cfg.l2 * self.theta - gradient
        self._optimizer.step()
        change = self.theta - before
        change *= (self.cfg.max_step / change.norm().clamp(min=1e-12)).clamp(max=1.0)
        self.theta.copy_(before + change)
        return self.theta

    def state_dict(self) -> dict[str, Any]:
        """Return θ and the state of its optimiser."""
        return {
            "theta": self.theta.clone(),
            "feature_scale": self.feature_scale.clone(),
            "optimizer": self._optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.theta.copy_(state["theta"])
        self.feature_scale.copy_(state["feature_scale"])
        self._optimizer.load_state_dict(state["optimizer"])
