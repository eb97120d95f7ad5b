# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Maximum-entropy inverse reinforcement learning of the residual reward."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..storage import BrokenPhysicsError

OBJECTIVES = ("features", "actions")
"""Names of what θ makes likely."""


@dataclass
class MaxEntIRLCfg:
    """Settings of :class:`MaxEntIRL`."""

    objective: str = "features"
    """What θ makes likely: the mean ``features`` of what was supervised, or the ``actions`` that the person took in the
    states that they took them in. Source: ``features`` is the paper's; ``actions`` is ours (Franka-PushBottle,
    docs/notebook): what the person can still save after a takeover says little of what they would have done
    before. It needs residual SAC, and the ``learning_rate`` is another one. What the robot did untouched is not read
    then, so that ``mereq_np`` is ``mereq``."""

    learning_rate: float = 0.01
    """η, step size of θ [reward per scaled feature]. Range: > 0. Source: measurement (Franka-Erase): the policy follows
    within some 50 steps of all robots, and larger steps overshoot meanwhile."""

    proportional: float = 5.0
    """Steps by which the θ of the reward is ahead of their sum. Range: >= 0. Source: PID Lagrangian methods (Stooke et
    al. 2020): it damps the swing between a θ that is ahead and a policy that is behind, and vanishes with the
    gradient."""

    l2: float = 0.0
    """Weight of ½‖θ‖² in the loss; decides where features are collinear. Range: >= 0. Source: ours."""

    uncertainty: float = 0.0
    """Standard errors of φ* by which f̄ may miss it for nothing. Range: >= 0. Source: relaxed constraints (Dudík et al.
    2007), which are a Laplace prior on θ, narrow where φ* is uncertain; 0 is the paper's."""

    tolerance: float = 0.05
    """ε: converged when ‖∇θ‖ is below it [scaled features]; unused with ``objective=actions``. Range: > 0. Source:
    ours."""

    scale_floor: float = 0.05
    """Smallest spread that a feature is scaled by [unit of the features]. Range: > 0. Source: ours: a feature that
    never moves under the prior must not become infinitely heavy when it does."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        at_least_0 = min(self.l2, self.proportional, self.uncertainty) >= 0
        if self.objective not in OBJECTIVES:
            raise ValueError(f"unknown irl.objective {self.objective!r}; choose {' or '.join(OBJECTIVES)}")
        if self.objective == "actions" and self.uncertainty > 0.0:
            raise ValueError("irl.uncertainty needs objective=features: it is that of φ*")
        if min(self.learning_rate, self.tolerance, self.scale_floor) <= 0 or not at_least_0:
            raise ValueError("max-ent IRL: settings must be above 0; l2, proportional and uncertainty at least 0")


def feature_scale(features: torch.Tensor, floor: float) -> torch.Tensor:
    """Return the spread of each feature, by which one step size serves every task.

    Args:
        features: Features of transitions under the prior; rows that are not finite are left out.
            Shape: (num_samples, num_features)
        floor: Smallest spread.

    Returns:
        Standard deviations. Shape: (num_features,)

    Raises:
        BrokenPhysicsError: No row is finite.
    """
    finite = features[torch.isfinite(features).all(dim=-1)]
    if len(finite) == 0:
        raise BrokenPhysicsError("physics broke: not one whole episode of the prior has finite features")
    return finite.std(dim=0, correction=0).clamp(min=floor)


class MaxEntIRL:
    """Learns θ such that the learner's features match those that the person wants, or its actions the person's.

    The log-likelihood of the person's behaviour under the max-ent policy of r + θᵀf is concave in θ, with the gradient
    ∇θ = φ* − f̄(π̂) (Ziebart et al. 2008). That of single actions, whatever led to the states that the person was in, has
    the gradient E[ψ(s, a) − E ψ(s, π̂)] / α̂, with the successor features ψ of the learner. θ moves along it while the
    policy learns, Δθ = η ∇θ, and the reward looks a few such steps ahead.

    Other steps looked worse in single runs on Franka-Erase, which were stopped early (docs/notebook): Newton
    steps with the covariance of single steps gave force and ink weights of opposite signs, and with its diagonal
    were slow; steps normalised like Adam's let the weight of a rare feature, force over the limit, outgrow all
    others.

    Reference:
        - "MEReQ: max-ent residual-Q inverse RL for sample-efficient alignment from intervention." CoRL 2025, PMLR 305.
    """

    def __init__(self, feature_scale: torch.Tensor, cfg: MaxEntIRLCfg | None = None) -> None:
        """Start at θ = 0, where the prior is the answer.

        Args:
            feature_scale: Spread of each feature. Shape: (num_features,)
            cfg: Settings.
        """
        self.cfg = cfg or MaxEntIRLCfg()
        self.feature_scale = feature_scale.detach().clone()
        self.theta = torch.zeros_like(self.feature_scale)
        """Weights of the scaled features. Shape: (num_features,)"""
        self._integral = torch.zeros_like(self.theta)

    def gradient(
        self,
        target_features: torch.Tensor,
        learner_features: torch.Tensor,
        target_error: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return ∇θ = φ* − f̄(π̂) in scaled features, less the pulls of ``l2`` and ``uncertainty`` towards 0.

        Args:
            target_features: φ*, unscaled. Shape: (num_features,)
            learner_features: f̄(π̂), unscaled. Shape: (num_features,)
            target_error: Standard error of φ*, unscaled; read only where ``uncertainty`` is set.
                Shape: (num_features,)

        Returns:
            Of all subgradients the one with the smallest norm. Shape: (num_features,)
        """
        difference = target_features.to(self.theta) - learner_features.to(self.theta)
        gradient = difference / self.feature_scale - self.cfg.l2 * self.theta
        if self.cfg.uncertainty == 0.0 or target_error is None:
            return gradient
        slack = self.cfg.uncertainty * target_error.to(self.theta) / self.feature_scale
        shrunk = gradient.sign() * (gradient.abs() - slack).clamp(min=0.0)
        pulled = torch.where(self._integral == 0.0, shrunk, gradient - slack * self._integral.sign())
        return torch.where(slack.isfinite(), pulled, 0.0)

    def gradient_of_actions(self, advantages: torch.Tensor) -> torch.Tensor:
        """Return ∇θ of the log-likelihood of actions, times α̂, less the pull of ``l2`` towards 0.

        log π̂(a|s) = (Q(s, a) − V(s)) / α̂, and θ changes Q by ψ(s, a) and V by its mean over the policy's actions. Over
        whole episodes the sum of both is that of their features: then it is :meth:`gradient`.

        Args:
            advantages: By how much each action brings more of the scaled features than the policy's
                (:meth:`~mereq_algo.residual.SuccessorFeatures.advantage`). Shape: (num_steps, num_features)

        Returns:
            Shape: (num_features,)
        """
        return advantages.mean(dim=0) - self.cfg.l2 * self.theta

    def is_converged(self, gradient: torch.Tensor) -> bool:
        """Return whether ‖∇θ‖ < ε.

        Never that of actions: before ψ has learned anything, it says that no action brings more than another.
        """
        return self.cfg.objective == "features" and float(gradient.norm()) < self.cfg.tolerance

    def step(self, gradient: torch.Tensor) -> torch.Tensor:
        """Move θ along the gradient.

        Args:
            gradient: As from :meth:`gradient`. Shape: (num_features,)

        Returns:
            The new θ. Shape: (num_features,)
        """
        change = self.cfg.learning_rate * gradient
        before = self._integral.clone()
        self._integral += change
        if self.cfg.uncertainty > 0.0:
            self._integral[before * self._integral < 0.0] = 0.0  # a weight stops at 0 on its way to the other sign
        torch.add(self._integral, change, alpha=self.cfg.proportional, out=self.theta)
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
