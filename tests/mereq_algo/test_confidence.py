# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The upper bound of the intervention rate holds as often as it says, with steps that are not independent."""

import numpy as np
import pytest
import torch

from mereq_algo.irl import intervention_rate_bound
from mereq_algo.irl.confidence import wilson_upper_bound

PATIENCE = 10
EPISODE_STEPS = 200


def _bound(num_controlled, num_steps=None, **overrides):
    controlled = torch.as_tensor(num_controlled)
    steps = torch.full_like(controlled, EPISODE_STEPS) if num_steps is None else torch.as_tensor(num_steps)
    return intervention_rate_bound(controlled, steps, **({"intervention_length": PATIENCE} | overrides))


def test_wilson_bound_equals_hand_arithmetic():
    # 10 of 100, z = 1.645: (0.1 + 0.01353 + 1.645 sqrt(0.0009 + 0.0000677)) / 1.02706 = (0.11353 + 0.05117) / 1.02706
    assert wilson_upper_bound(0.1, 100, 1.645) == pytest.approx(0.16036, abs=1e-4)
    # None of n: z² / (n + z²)
    assert wilson_upper_bound(0.0, 100, 1.645) == pytest.approx(2.706 / 102.706, abs=1e-4)


def test_no_intervention_is_not_certainty():
    bound = _bound([0] * 10)
    # 2,000 steps in blocks of 10 tell as much as 200: t² / (200 + t²), with t = 1.833 for 9 degrees of freedom.
    assert bound.rate == 0.0
    assert bound.upper == pytest.approx(1.833**2 / (200 + 1.833**2), rel=0.01)


def test_clustered_interventions_are_less_certain_than_scattered_ones():
    scattered, clustered = _bound([20] * 10), _bound([200] + [0] * 9)
    assert scattered.rate == clustered.rate == pytest.approx(0.1)
    assert scattered.design_effect == PATIENCE
    # Σ (x - pm)² = 180² + 9 * 20² = 36,000, times 10/9, over n p (1-p) = 180.
    assert clustered.design_effect == pytest.approx(36_000 * 10 / 9 / 180)
    assert clustered.upper > scattered.upper


def test_edges():
    assert _bound(torch.zeros(0, dtype=torch.long)).upper == 1.0
    assert _bound([200] * 10).upper == 1.0
    assert 0.0 < _bound([0]).upper < 1.0


def _simulate(rng, num_episodes: int, start_rate: float, extra_steps: float, spread: float) -> np.ndarray:
    """Steps in control in each episode: interventions start at random and last PATIENCE steps and then some.

    With a spread, episodes differ in how often interventions start.
    """
    controlled = np.zeros(num_episodes, dtype=np.int64)
    for episode in range(num_episodes):
        rate = start_rate * (rng.gamma(1.0 / spread, spread) if spread else 1.0)
        step = rng.geometric(min(rate, 1.0)) - 1
        while step < EPISODE_STEPS:
            length = PATIENCE + (rng.geometric(1.0 / extra_steps) if extra_steps else 0)
            controlled[episode] += min(length, EPISODE_STEPS - step)
            step += length + rng.geometric(min(rate, 1.0))
    return controlled


@pytest.mark.parametrize("start_rate", [0.003, 0.01, 0.05])
@pytest.mark.parametrize(("extra_steps", "spread"), [(0.0, 0.0), (10.0, 0.0), (0.0, 1.0)])
def test_bound_holds_as_often_as_it_says(start_rate, extra_steps, spread):
    rng = np.random.default_rng(0)
    truth = _simulate(rng, 4_000, start_rate, extra_steps, spread).mean() / EPISODE_STEPS
    length = PATIENCE + extra_steps
    bounds = [
        _bound(_simulate(rng, 20, start_rate, extra_steps, spread), intervention_length=length) for _ in range(400)
    ]
    # Nominally 95 %; a bound on 20 clusters keeps that to within a few per cent (400 trials: ± 1 %).
    assert np.mean([bound.upper >= truth for bound in bounds]) >= 0.92
    # And it is a bound worth having: not more than a constant over the truth.
    assert np.median([bound.upper for bound in bounds]) < 2.5 * truth


def test_steps_taken_as_independent_would_be_far_too_certain():
    rng = np.random.default_rng(0)
    truth = _simulate(rng, 4_000, 0.01, 10.0, 0.0).mean() / EPISODE_STEPS
    naive = [
        wilson_upper_bound(_simulate(rng, 20, 0.01, 10.0, 0.0).mean() / EPISODE_STEPS, 20 * EPISODE_STEPS, 1.645)
        for _ in range(400)
    ]
    assert np.mean([bound >= truth for bound in naive]) < 0.8
