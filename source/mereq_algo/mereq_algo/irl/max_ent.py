# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Maximum-entropy inverse reinforcement learning of the residual reward."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass
class MaxEntIRLCfg:
    """Settings of :class:`MaxEntIRL`."""

    learning_rate: float = 0.5
    """η, the share of a Newton step taken at once. Range: > 0. Source: ours. The policy needs a few hundred updates to
    follow θ, and a larger share overshoots meanwhile."""

    proportional: float = 0.0
    """Newton steps by which the θ of the reward is ahead of their sum. Range: >= 0. Source: PID Lagrangian methods
    (Stooke et al. 2020): it damps the swing between a θ that is ahead and a policy that is behind, and vanishes with the
    gradient."""

    damping: float = 0.1
    """Added to the variance of each scaled feature, which is 1 under the prior. Range: > 0. Source: ours: a feature
    that the learner hardly varies must not move θ without limit."""

    max_step: float = 0.1
    """Longest change ‖Δθ‖ of one step [reward per scaled feature]: a trust region, in which Q_R stays a good start.
    Range: > 0. Source: ours."""

    l2: float = 0.0
    """Weight of ½‖θ‖² in the loss; decides where features are collinear. Range: >= 0. Source: ours."""

    tolerance: float = 0.05
    """ε: converged when ‖∇θ‖ is below it [scaled features]. Range: > 0. Source: ours."""

    scale_floor: float = 0.05
    """Smallest spread that a feature is scaled by [unit of the features]. Range: > 0. Source: ours: a feature that
    never moves under the prior must not become infinitely heavy when it does."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if min(self.learning_rate, self.damping, self.max_step, self.tolerance, self.scale_floor) <= 0 or self.l2 < 0:
            raise ValueError("max-ent IRL: all settings must be above 0, l2 at least 0")


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
    ∇θ = φ* − f̄(π̂) and the curvature Cov(f)/α̂ (Ziebart et al. 2008). So θ moves by a damped Newton step with the
    diagonal of that curvature,

        Δθ = η α̂ ∇θ / (Var(f) + damping),

    long where the policy leaves features no freedom, short where they react to the slightest reward. (The covariances
    of single steps say little about how features move together over an episode: with the whole matrix, force and
    erased ink, which go together, got weights of opposite signs.) It needs no memory, and near the answer it shrinks
    with the gradient; Adam's steps do not, and circled around it for ever. All features here are divided by their
    spread under the prior.

    Reference:
        - "MEReQ: max-ent residual-Q inverse RL for sample-efficient alignment from intervention." CoRL 2025, PMLR 305.
    """

    def __init__(self, feature_scale: torch.Tensor, temperature: float, cfg: MaxEntIRLCfg | None = None) -> None:
        """Start at θ = 0, where the prior is the answer.

        Args:
            feature_scale: Spread of each feature under the prior. Shape: (num_features,)
            temperature: Temperature α̂ of the learner [reward/nat].
            cfg: Settings.
        """
        self.cfg = cfg or MaxEntIRLCfg()
        self.feature_scale = feature_scale.detach().clone()
        self.temperature = temperature
        self.theta = torch.zeros_like(self.feature_scale)
        """Weights of the scaled features. Shape: (num_features,)"""
        self._integral = torch.zeros_like(self.theta)

    def gradient(self, target_features: torch.Tensor, learner_features: torch.Tensor) -> torch.Tensor:
        """Return ∇θ = φ* − f̄(π̂) in scaled features, less the pull of ``l2`` towards 0.

        Args:
            target_features: φ*, unscaled. Shape: (num_features,)
            learner_features: f̄(π̂), unscaled. Shape: (num_features,)

        Returns:
            Shape: (num_features,)
        """
        difference = target_features.to(self.theta) - learner_features.to(self.theta)
        return difference / self.feature_scale - self.cfg.l2 * self.theta

    def is_converged(self, gradient: torch.Tensor) -> bool:
        """Return whether ‖∇θ‖ < ε."""
        return float(gradient.norm()) < self.cfg.tolerance

    def step(self, gradient: torch.Tensor, learner_features: torch.Tensor) -> torch.Tensor:
        """Move θ along the gradient.

        Args:
            gradient: As from :meth:`gradient`. Shape: (num_features,)
            learner_features: Features of the learner's newest transitions, unscaled, for the curvature.
                Shape: (num_transitions, num_features)

        Returns:
            The new θ. Shape: (num_features,)
        """
        variance = (learner_features.to(self.theta) / self.feature_scale).var(dim=0, correction=0)
        newton_step = self.temperature * gradient / (variance + self.cfg.damping)
        change = self.cfg.learning_rate * newton_step
        self._integral += change * (self.cfg.max_step / change.norm().clamp(min=1e-12)).clamp(max=1.0)
        torch.add(self._integral, newton_step, alpha=self.cfg.proportional, out=self.theta)
        return self.theta

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return θ, what it is made of, and the scale of the features."""
        return {
            "theta": self.theta.clone(),
            "integral": self._integral.clone(),
            "feature_scale": self.feature_scale.clone(),
        }

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.theta.copy_(state["theta"])
        self._integral.copy_(state["integral"])
        self.feature_scale.copy_(state["feature_scale"])
