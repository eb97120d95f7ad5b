# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How sure one can be that the person hardly intervenes any more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import torch


@dataclass
class RateBound:
    """An intervention rate with its upper confidence bound."""

    rate: float
    """Share of the steps that the person controlled."""

    upper: float
    """One-sided upper confidence bound on the rate that further episodes would show."""

    num_steps: int
    """Number of supervised steps."""

    design_effect: float
    """Steps that tell as much as one independent step."""


def intervention_rate_bound(
    num_controlled: torch.Tensor,
    num_steps: torch.Tensor,
    intervention_length: float,
    confidence: float = 0.95,
) -> RateBound:
    """Bound the intervention rate from above.

    Steps of one episode are not independent: an intervention lasts for many of them, and hard episodes need several.
    The design effect (Kish 1965) is how much larger the variance of the rate is than that of independent steps. It is
    estimated from the spread between episodes, each being one cluster, by the linearised ratio estimator

        deff = k/(k−1) Σ (x_i − p m_i)² / (n p (1−p)),   x_i of the m_i steps of episode i controlled, n = Σ m_i.

    It is taken to be at least ``intervention_length``, since steps come in blocks of that length: without that, a
    round with few or no interventions, whose spread says nothing, would look far too certain. The bound is then
    Wilson's (1927) for n/deff steps, with Student's quantile of k−1 degrees of freedom, because few episodes also
    leave the spread uncertain.

    Watching on only where the first episodes went well does not loosen the stop rule: it can only keep a run from
    stopping that would have stopped, had all been watched anyway.

    Args:
        num_controlled: Steps that the person controlled in each episode. Shape: (num_episodes,)
        num_steps: All steps of each episode. Shape: (num_episodes,)
        intervention_length: Steps that an intervention lasts: the mean of those seen lately, and at least the patience
            with which the person hands back.
        confidence: Probability that the bound holds. Range: (0.5, 1).

    Returns:
        The rate and its bound; the bound is 1 without any step.
    """
    controlled, steps = num_controlled.double().cpu(), num_steps.double().cpu()
    total, num_episodes = float(steps.sum()), len(steps)
    if total == 0.0:
        return RateBound(rate=0.0, upper=1.0, num_steps=0, design_effect=float(intervention_length))
    rate = float(controlled.sum()) / total
    design_effect = float(intervention_length)
    if num_episodes > 1 and 0.0 < rate < 1.0:
        spread = float((controlled - rate * steps).square().sum()) * num_episodes / (num_episodes - 1)
        design_effect = max(design_effect, spread / (total * rate * (1.0 - rate)))
    quantile = _student_quantile(confidence, max(num_episodes - 1, 1))
    upper = wilson_upper_bound(rate, total / design_effect, quantile)
    return RateBound(rate=rate, upper=upper, num_steps=int(total), design_effect=design_effect)


def wilson_upper_bound(rate: float, num_samples: float, quantile: float) -> float:
    """Return Wilson's one-sided upper confidence bound on a proportion.

    Args:
        rate: Proportion observed. Range: [0, 1].
        num_samples: Number of independent samples, not necessarily whole. Range: > 0.
        quantile: Standard deviations between centre and bound: 1.645 for 95 %.
    """
    z_squared = quantile**2
    centre = rate + z_squared / (2.0 * num_samples)
    half_width = quantile * math.sqrt(rate * (1.0 - rate) / num_samples + z_squared / (4.0 * num_samples**2))
    return min(1.0, (centre + half_width) / (1.0 + z_squared / num_samples))


def wilson_lower_bound(rate: float, num_samples: float, quantile: float) -> float:
    """Return Wilson's one-sided lower confidence bound on a proportion; see :func:`wilson_upper_bound`."""
    return 1.0 - wilson_upper_bound(1.0 - rate, num_samples, quantile)


def is_probably_above(
    threshold: float,
    num_controlled: int,
    num_interventions: int,
    num_steps: int,
    intervention_length: float,
    confidence: float,
) -> bool:
    """Return whether the intervention rate is above a threshold, by Wilson's lower bound.

    There are as many independent samples as interventions would fit into the steps, by their mean length: a parcel that
    is gripped anew keeps the person busy for 40 steps, which are 8 % of five episodes, and is one mistake.

    Args:
        threshold: Intervention rate.
        num_controlled: Steps that the person controlled.
        num_interventions: How often they took over.
        num_steps: All steps.
        intervention_length: Steps that an intervention lasts at least.
        confidence: Probability that the rate is above the threshold, from which on the answer is yes.
    """
    if num_steps == 0:
        return False
    length = max(intervention_length, num_controlled / max(num_interventions, 1))
    quantile = NormalDist().inv_cdf(confidence)
    return wilson_lower_bound(num_controlled / num_steps, num_steps / length, quantile) > threshold


def _student_quantile(probability: float, degrees_of_freedom: int) -> float:
    """Return the quantile of Student's t by the first two terms of its Cornish-Fisher series."""
    z, nu = NormalDist().inv_cdf(probability), degrees_of_freedom
    return z + (z**3 + z) / (4.0 * nu) + (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / (96.0 * nu**2)
