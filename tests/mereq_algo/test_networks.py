# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policy, critics and the squashed Gaussian."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mereq_algo.networks import GaussianPolicy, PolicyCfg, TanhNormal, TwinCritic

from .analytic_envs import linear_gaussian_policy


def _build_policy(**overrides) -> GaussianPolicy:
    torch.manual_seed(0)
    return GaussianPolicy(3, 2, PolicyCfg(**({"hidden_dims": (16, 16)} | overrides)))


def test_density_of_squashed_action_integrates_to_one():
    # Over a in (-1, 1), by the midpoint rule.
    actions = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 10_000 - 1.0
    distribution = TanhNormal(torch.tensor([0.4], dtype=torch.float64), torch.tensor([-0.7], dtype=torch.float64))
    density = distribution.log_prob(actions.atanh().unsqueeze(-1)).exp()
    assert float(density.sum() / 10_000) == pytest.approx(1.0, abs=1e-4)


@settings(deadline=None)
@given(mean=st.floats(-8, 8), log_std=st.floats(-3, 1), noise=st.floats(-4, 4))
def test_log_prob_is_exact_where_the_action_rounds_to_one(mean, log_std, noise):
    pre_tanh = mean + math.exp(log_std) * noise
    # log N(u; mean, std²) - log(1 - tanh²(u)), the latter being log 4 - 2|u| - 2 log(1 + exp(-2|u|)).
    log_normal = -0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)
    log_slope = math.log(4) - 2 * abs(pre_tanh) - 2 * math.log1p(math.exp(-2 * abs(pre_tanh)))
    distribution = TanhNormal(torch.tensor([mean]), torch.tensor([log_std]))
    assert float(distribution.log_prob(torch.tensor([pre_tanh]))) == pytest.approx(log_normal - log_slope, abs=1e-3)


def test_kl_divergence_is_the_mean_log_ratio():
    first = TanhNormal(torch.tensor([0.3, -1.0]), torch.tensor([-0.5, -1.0]))
    second = TanhNormal(torch.tensor([0.0, -0.5]), torch.tensor([0.0, -0.7]))
    _, pre_tanh = TanhNormal(first.mean.expand(400_000, 2), first.log_std.expand(400_000, 2)).rsample(
        torch.Generator().manual_seed(0)
    )
    log_ratio = first.log_prob(pre_tanh) - second.log_prob(pre_tanh)
    assert float(first.kl_divergence(second)) == pytest.approx(float(log_ratio.mean()), abs=0.01)
    assert float(first.kl_divergence(first)) == 0.0


def test_floor_mixes_a_uniform_distribution_into_each_dimension():
    distribution = TanhNormal(torch.tensor([0.4, -0.3]).double(), torch.tensor([-0.7, -2.0]).double())
    pre_tanh = torch.tensor([[0.4, -0.3], [0.4, 2.0], [-6.0, 5.0]]).double()
    alone = [TanhNormal(distribution.mean[i : i + 1], distribution.log_std[i : i + 1]) for i in range(2)]
    mixed = [(0.9 * one.log_prob(pre_tanh[:, i : i + 1]).exp() + 0.05).log() for i, one in enumerate(alone)]
    floored = distribution.log_prob(pre_tanh) + distribution.log_floor_ratio(pre_tanh, 0.1)
    torch.testing.assert_close(floored, mixed[0] + mixed[1])
    assert float(floored.min()) == pytest.approx(2.0 * math.log(0.05))


def test_log_prob_of_a_corner_is_finite():
    policy = _build_policy()
    assert torch.isfinite(policy.log_prob(torch.zeros(1, 3), torch.tensor([[1.0, -1.0]]))).all()


def test_sample_and_log_prob_agree():
    policy = _build_policy()
    obs = torch.randn(64, 3)
    action, log_prob = policy.sample(obs, torch.Generator().manual_seed(0))
    torch.testing.assert_close(policy.log_prob(obs, action), log_prob, atol=1e-3, rtol=1e-3)


def test_untrained_policy_explores_with_the_given_std():
    distribution = _build_policy(init_std=0.6).distribution(torch.randn(64, 3))
    torch.testing.assert_close(distribution.log_std.exp(), torch.full((64, 2), 0.6), atol=0.02, rtol=0.0)


def test_normalizer_learns_only_when_told_and_never_from_nan():
    policy = _build_policy()
    obs = torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [torch.nan, 0.0, 0.0]])
    policy(obs)
    assert float(policy.normalizer.count) == 0
    policy.update_normalizer(obs)
    # Means of the two finite rows and of the current mean, 0, that stands in for the third.
    torch.testing.assert_close(policy.normalizer.mean, torch.tensor([4 / 3, 4 / 3, 4 / 3]))


def test_linear_gaussian_policy_is_what_it_says():
    with torch.no_grad():
        distribution = linear_gaussian_policy(gain=0.7, offset=-0.2, std=0.3).distribution(torch.tensor([[2.0]]))
    assert float(distribution.mean) == pytest.approx(0.7 * 2.0 - 0.2)
    assert float(distribution.log_std.exp()) == pytest.approx(0.3)


def test_critics_start_at_zero_and_share_the_normalizer():
    policy = _build_policy()
    critic = TwinCritic(3, 2, policy.normalizer)
    obs, action = torch.randn(8, 3), torch.rand(8, 2)
    assert torch.equal(critic(obs, action), torch.zeros(2, 8))
    assert critic.normalizer is policy.normalizer


def test_copy_of_a_policy_acts_the_same():
    policy = _build_policy()
    policy.update_normalizer(torch.randn(64, 3))
    obs = torch.randn(8, 3)
    assert torch.equal(copy.deepcopy(policy)(obs), policy(obs))


def test_std_bounds_out_of_order_are_refused():
    with pytest.raises(ValueError, match="min_log_std"):
        PolicyCfg(min_log_std=1.0)


def test_last_layers_keep_their_digits_where_others_are_rounded():
    policy = _build_policy()
    obs = torch.randn(256, 3)
    exact = policy.mlp(obs)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = policy.mlp(obs)
        hidden = policy.mlp[:-1](obs)
    assert rounded.dtype == torch.float32 and not torch.equal(rounded, exact)
    assert torch.equal(rounded, torch.nn.functional.linear(hidden.float(), policy.mlp[-1].weight, policy.mlp[-1].bias))
