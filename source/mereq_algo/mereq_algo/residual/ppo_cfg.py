# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Settings of residual PPO."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class ResidualPPOCfg:
    """Settings of :class:`ResidualPPO`; discount, temperatures and floor are those of :class:`ResidualSACCfg`."""

    num_steps_per_env: int = 8
    """Steps of all robots between two updates. Range: >= 2. Source: measurement (Franka-Erase, docs/results.md)."""

    theta_interval: int = 16
    """Steps of all robots between two steps of θ, in the place of the inner loop's. Range: >= 1. Source: measurement
    (Franka-Erase, docs/results.md): with the 5 of residual SAC θ ran away from a policy that could not follow."""

    num_learning_epochs: int = 5
    """Passes over them. Range: >= 1. Source: rsl_rl."""

    num_mini_batches: int = 4
    """Batches of a pass. Range: >= 1. Source: rsl_rl."""

    learning_rate: float = 1e-3
    """Step size of Adam to begin with. Range: > 0. Source: rsl_rl."""

    desired_kl: float = 0.03
    """How far an update may move the policy, by which the step size is adapted [nat]. Range: > 0. Source: as above."""

    clip_param: float = 0.2
    """How far the ratio of probabilities may leave 1. Range: > 0. Source: rsl_rl."""

    lam: float = 0.95
    """λ of the advantage estimates. Range: [0, 1]. Source: rsl_rl."""

    max_grad_norm: float = 1.0
    """Largest gradient. Range: > 0. Source: rsl_rl."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        ranges = {
            "num_steps_per_env >= 2": self.num_steps_per_env >= 2,
            "theta_interval >= 1": self.theta_interval >= 1,
            "num_learning_epochs >= 1": self.num_learning_epochs >= 1,
            "num_mini_batches >= 1": self.num_mini_batches >= 1,
            "learning_rate > 0": self.learning_rate > 0.0,
            "desired_kl > 0": self.desired_kl > 0.0,
            "clip_param > 0": self.clip_param > 0.0,
            "lam in [0, 1]": 0.0 <= self.lam <= 1.0,
            "max_grad_norm > 0": self.max_grad_norm > 0.0,
        }
        for rule, holds in ranges.items():
            if not holds:
                raise ValueError(f"residual PPO: needs {rule}, got {getattr(self, rule.split()[0])}")
