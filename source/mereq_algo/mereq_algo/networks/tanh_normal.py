# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The tanh-squashed Gaussian that every policy here puts out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

_LOG_SQRT_TWO_PI = 0.5 * math.log(2.0 * math.pi)
# float32 rounds 1 - 1e-8 to 1, whose inverse tanh is infinite.
_MAX_ACTION = 1.0 - 1e-6


@dataclass
class TanhNormal:
    """Distribution of ``a = tanh(u)`` with ``u ~ N(mean, std²)``, independent in each dimension.

    Densities are of the squashed action but take the *pre-tanh* value ``u``: near the corners of the action space
    ``u`` cannot be recovered from ``a``, and the log-probabilities of two policies would no longer be comparable.
    """

    mean: torch.Tensor
    """Mean of the pre-tanh value. Shape: (..., num_actions)"""

    log_std: torch.Tensor
    """Logarithm of its standard deviation. Shape: (..., num_actions)"""

    @staticmethod
    def from_output(output: torch.Tensor, min_log_std: float, max_log_std: float) -> TanhNormal:
        """Return the distribution that an output of a network stands for.

        Args:
            output: Mean, and a number whose sigmoid is the share of the way between both bounds: unlike with a clamp,
                the gradient never vanishes entirely there. Shape: (..., 2 num_actions)
            min_log_std: Lower bound of the log standard deviation.
            max_log_std: Upper bound.
        """
        mean, share = output.chunk(2, dim=-1)
        return TanhNormal(mean, min_log_std + (max_log_std - min_log_std) * share.sigmoid())

    def mode_action(self) -> torch.Tensor:
        """Return the deterministic action ``tanh(mean)``. Shape: (..., num_actions)."""
        return self.mean.tanh()

    def rsample(self, generator: torch.Generator | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a reparametrised sample.

        Args:
            generator: Source of randomness; the global one when left out.

        Returns:
            The action and its pre-tanh value, both differentiable. Shape: (..., num_actions)
        """
        return self.at(
            torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        )

    def at(self, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the sample that some standard normal noise stands for, as :meth:`rsample` does. Shape: as the mean."""
        pre_tanh = self.mean + self.log_std.exp() * noise
        return pre_tanh.tanh(), pre_tanh

    def log_prob(self, pre_tanh: torch.Tensor) -> torch.Tensor:
        """Return log π(tanh(u)) for the pre-tanh value ``u``.

        Args:
            pre_tanh: Value before squashing. Shape: (..., num_actions)

        Returns:
            Log-density of the squashed action, summed over dimensions. Shape: (...)
        """
        return self._log_probs(pre_tanh).sum(-1)

    def log_floor_ratio(self, pre_tanh: torch.Tensor, floor: float) -> torch.Tensor:
        """Return log π̃(a) − log π(a), where π̃ is π with a share of a uniform distribution mixed into each dimension.

        Far from its mean a Gaussian falls off as if it knew how bad every action is. It knows only its neighbourhood;
        π̃ = (1−ε) π + ε/2 falls to a constant (a defensive mixture: Hesterberg 1995).

        Args:
            pre_tanh: Value before squashing. Shape: (..., num_actions)
            floor: ε. Range: [0, 1); at 0 π̃ is π.

        Returns:
            Log-ratio of the densities of the squashed action, summed over dimensions. Shape: (...)
        """
        if floor == 0.0:
            return pre_tanh.new_zeros(pre_tanh.shape[:-1])
        log_uniform_ratio = math.log(0.5 * floor) - self._log_probs(pre_tanh)
        return torch.logaddexp(log_uniform_ratio, log_uniform_ratio.new_full((), math.log1p(-floor))).sum(-1)

    def _log_probs(self, pre_tanh: torch.Tensor) -> torch.Tensor:
        """Return the log-density of each dimension of the squashed action. Shape: (..., num_actions)."""
        standardized = (pre_tanh - self.mean) * torch.exp(-self.log_std)
        return -0.5 * standardized.square() - self.log_std - _LOG_SQRT_TWO_PI - log_tanh_slope(pre_tanh)

    def kl_divergence(self, other: TanhNormal) -> torch.Tensor:
        """Return KL(self ‖ other), in closed form: squashing both by the same tanh does not change it. Shape: (...)."""
        log_ratio = self.log_std - other.log_std
        distance = (self.mean - other.mean) * torch.exp(-other.log_std)
        return (0.5 * ((2.0 * log_ratio).exp() + distance.square() - 1.0) - log_ratio).sum(-1)


def log_tanh_slope(pre_tanh: torch.Tensor) -> torch.Tensor:
    """Return log(1 − tanh²(u)) without cancellation: 2 (log 2 − u − softplus(−2u))."""
    return 2.0 * (math.log(2.0) - pre_tanh - F.softplus(-2.0 * pre_tanh))


def inverse_tanh(action: torch.Tensor) -> torch.Tensor:
    """Return the pre-tanh value of an action, finite also at the bounds of the action space."""
    return action.clamp(-_MAX_ACTION, _MAX_ACTION).atanh()
