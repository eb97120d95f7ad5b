# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Residual SAC against problems that are solved on paper.

In the pre-tanh action u everything is Gaussian. The squashed policy is π̂(a) ∝ exp((Q_R + ωα log π(a)) / α̂); as a
density of u it has the additional factor (1 − a²)^(1 − ωα/α̂), which a feature log(1 − a²) with weight ωα − α̂ takes out
again.
"""

import math

import pytest
import torch

from mereq_algo.networks import CriticCfg, PolicyCfg
from mereq_algo.networks.tanh_normal import inverse_tanh, log_tanh_slope
from mereq_algo.residual import LinearReward, ResidualSACCfg, UpdateScheduleCfg, build_residual_sac

from .analytic_envs import LinearEnv, linear_gaussian_policy


def _learn(env, theta, prior, num_steps, **overrides):
    cfg = {
        "policy": PolicyCfg(hidden_dims=(), max_log_std=1.0),
        "critic": CriticCfg(hidden_dims=(64, 64)),
        "schedule": UpdateScheduleCfg(reference_num_envs=64, reference_batch_size=256, reference_updates_per_step=1),
        "learning_rate": 3e-3,
        "target_rate": 0.02,
    }
    algorithm = build_residual_sac(
        env, LinearReward(0.0, torch.tensor(theta)), ResidualSACCfg(**(cfg | overrides)), prior
    )
    obs = env.get_observations()
    for _ in range(num_steps):
        obs, rewards, dones, extras = env.step(algorithm.act(obs))
        algorithm.process_env_step(obs, rewards, dones, extras)
        algorithm.update()
    return algorithm


@pytest.mark.parametrize(
    ("prior_weight", "prior_temperature", "temperature"),
    [(1.0, 0.1, 0.1), (0.5, 0.1, 0.1), (1.0, 0.1, 0.3), (0.0, 0.1, 0.1)],
    ids=["residual", "half the prior", "hotter than the prior", "plain SAC"],
)
def test_one_step_policy_matches_the_closed_form(prior_weight, prior_temperature, temperature):
    mean, std = 0.3, 0.4  # of the prior
    curvature, best = 0.8, -0.5  # the residual is -curvature/2 (u - best)^2
    anchor = prior_weight * prior_temperature
    env = LinearEnv(
        bound=-1.0,  # every step terminates
        features=(lambda s, u, n: u, lambda s, u, n: u**2, lambda s, u, n: log_tanh_slope(u)),
        seed=5,
    )
    algorithm = _learn(
        env,
        theta=(curvature * best, -curvature / 2, anchor - temperature),
        prior=linear_gaussian_policy(0.0, mean, std) if prior_weight else None,
        num_steps=500,
        temperature=temperature,
        prior_temperature=prior_temperature,
        prior_weight=prior_weight,
    )
    # A Gaussian prior to the power ωα/α̂ times a Gaussian of precision curvature/α̂ at `best`.
    prior_precision = anchor / temperature / std**2
    precision = prior_precision + curvature / temperature
    expected_mean = (prior_precision * mean + curvature / temperature * best) / precision

    learned = algorithm.policy.distribution(torch.linspace(-1.0, 1.0, 9).unsqueeze(-1))
    assert float((learned.mean - expected_mean).detach().abs().max()) < 0.05
    torch.testing.assert_close(learned.log_std.exp(), torch.full((9, 1), precision**-0.5), rtol=0.08, atol=0.0)


@pytest.mark.parametrize(("prior_floor", "expected_mean"), [(0.0, -0.515), (0.01, 1.0)], ids=["without", "with"])
def test_a_floor_lets_the_policy_go_where_a_narrow_prior_does_not_reach(prior_floor, expected_mean):
    """What is ten standard deviations away costs 5, (10²/2) ωα, and with the floor at most 0.7, ωα log(2 p(mode)/ε)."""
    mean, std, temperature = -1.0, 0.2, 0.1
    curvature, best = 0.8, 1.0  # the residual is 1.6 better there
    env = LinearEnv(
        bound=-1.0,
        features=(lambda s, u, n: u, lambda s, u, n: u**2, lambda s, u, n: log_tanh_slope(u)),
        seed=5,
    )
    algorithm = _learn(
        env,
        # On the floor π̂(u) ∝ (1 − a²) exp(r/α̂): the last feature takes the factor out again.
        theta=(curvature * best, -curvature / 2, -temperature if prior_floor else 0.0),
        prior=linear_gaussian_policy(0.0, mean, std),
        num_steps=1500 if prior_floor else 500,  # it has farther to go
        temperature=temperature,
        prior_temperature=temperature,
        prior_floor=prior_floor,
    )
    learned = algorithm.policy.distribution(torch.linspace(-1.0, 1.0, 9).unsqueeze(-1))
    assert float((learned.mean - expected_mean).detach().abs().max()) < 0.07
    precision = curvature / temperature + (0.0 if prior_floor else 1.0 / std**2)
    torch.testing.assert_close(learned.log_std.exp(), torch.full((9, 1), precision**-0.5), rtol=0.1, atol=0.0)


def test_discounted_linear_quadratic_residual_matches_dynamic_programming():
    decay, gain, prior_gain, prior_std = 0.9, 0.4, 0.3, 0.5
    weight, temperature, gamma = 0.5, 0.1, 0.7
    env = LinearEnv(decay=decay, gain=gain, features=(lambda s, u, n: n**2,), seed=5)
    algorithm = _learn(
        env,
        theta=(-weight / 2,),
        prior=linear_gaussian_policy(prior_gain, 0.0, prior_std),
        num_steps=900,
        gamma=gamma,
        temperature=temperature,
        prior_temperature=temperature,
    )

    # Q_R(s, u) = -m/2 x^2 + γc with x = s' = decay s + gain u, and V(s) = α̂ log E exp(Q_R/α̂) over the prior's u. There
    # x ~ N(closed_loop s, τ²), and E exp(-m/2α̂ x²) = (1 + mτ²/α̂)^-1/2 exp(-m/2α̂ (closed_loop s)² / (1 + mτ²/α̂)):
    # V(s) = -p/2 s² + c with p = m closed_loop² / (1 + mτ²/α̂). Bellman: m = weight + γ p.
    closed_loop, variance = decay + gain * prior_gain, (gain * prior_std) ** 2
    value = 0.0
    for _ in range(200):
        m = weight + gamma * value
        value = m * closed_loop**2 / (1.0 + m * variance / temperature)
    constant = -0.5 * temperature * math.log(1.0 + m * variance / temperature) / (1.0 - gamma)

    batch = algorithm.storage.latest(3_000)
    next_state = decay * batch["obs"] + gain * inverse_tanh(batch["action"])
    exact = (-0.5 * m * next_state.square() + gamma * constant).squeeze(-1)
    learned = algorithm.critic(batch["obs"], batch["action"]).mean(dim=0).detach()
    # The spread over states and actions is 0.08, the offset γc is -0.04.
    assert float((learned - exact).square().mean().sqrt()) < 0.15 * float(exact.std())

    # The policy is the prior's Gaussian times exp(Q_R/α̂).
    precision = 1.0 / prior_std**2 + m * gain**2 / temperature
    expected_gain = (prior_gain / prior_std**2 - m * gain * decay / temperature) / precision
    with torch.no_grad():
        distribution = algorithm.policy.distribution(torch.tensor([[-1.0], [1.0]]))
    slope = float(distribution.mean[1] - distribution.mean[0]) / 2.0
    assert slope == pytest.approx(expected_gain, abs=0.05)
    assert float(distribution.log_std.exp().mean()) == pytest.approx(precision**-0.5, rel=0.08)
