# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Target features and max-ent IRL."""

import math

import pytest
import torch
from tensordict import TensorDict

from mereq_algo.intervention import SupervisedRollout
from mereq_algo.irl import (
    EpisodeMeans,
    MaxEntIRL,
    MaxEntIRLCfg,
    TargetFeatures,
    TargetFeaturesCfg,
    feature_scale,
    split_segments,
)
from mereq_algo.networks import CriticCfg, GaussianPolicy
from mereq_algo.residual import LinearReward, ResidualSACCfg, UpdateScheduleCfg, build_residual_sac

from .analytic_envs import LinearEnv, linear_gaussian_policy


def _rollout(in_control: list[int], features: list[float], episode: list[int] | None = None) -> SupervisedRollout:
    """A rollout of one supervised robot."""
    num_steps = len(in_control)
    column = torch.tensor(features).reshape(num_steps, 1, 1)
    return SupervisedRollout(
        transitions=TensorDict({"obs": torch.zeros(num_steps, 1, 1), "features": column}, batch_size=[num_steps, 1]),
        robot_action=torch.zeros(num_steps, 1, 1),
        in_control=torch.tensor(in_control, dtype=torch.bool).unsqueeze(-1),
        done=torch.zeros(num_steps, 1, dtype=torch.bool),
        episode=torch.tensor(episode or [0] * num_steps).unsqueeze(-1),
    )


def _target(*rollouts: SupervisedRollout, **cfg) -> TargetFeatures:
    target = TargetFeatures(1, TargetFeaturesCfg(**cfg))
    for rollout in rollouts:
        target.add_round(rollout)
    return target


def test_target_weighs_segments_by_their_share_of_the_steps():
    rollout = _rollout([0, 0, 0, 1], [1.0, 2.0, 3.0, 10.0])
    # λ = 3/4: 3/4 * mean(1, 2, 3) + 1/4 * 10 = 1.5 + 2.5
    assert float(_target(rollout).value()) == pytest.approx(4.0)
    # Without pseudo-expert data only the person's own step counts.
    assert float(_target(rollout, pseudo_expert=False).value()) == pytest.approx(10.0)


def test_target_without_an_intervention():
    untouched = _rollout([0, 0], [1.0, 3.0])
    assert float(_target(untouched).value()) == pytest.approx(2.0)
    assert _target(untouched, pseudo_expert=False).value() is None
    assert _target().value() is None


@pytest.mark.parametrize(("memory", "expected"), [(0.0, 4.0), (1.0, 2.0), (0.5, (0.5 * 2 * 1 + 1 * 4) / 2)])
def test_older_rounds_fade(memory, expected):
    # First round: 2 steps of 1. Second round: 1 step of 4.
    first, second = _rollout([0, 1], [1.0, 1.0]), _rollout([1], [4.0])
    assert float(_target(first, second, memory=memory).value()) == pytest.approx(expected)


def test_standard_error_of_the_target_is_that_between_episodes():
    # Three episodes of 2 steps with means 1, 2 and 3: standard deviation 1, standard error 1/√3.
    rollout = _rollout([0] * 6, [0.0, 2.0, 2.0, 2.0, 3.0, 3.0], [0, 0, 1, 1, 2, 2])
    assert float(_target(rollout).standard_error()) == pytest.approx(1.0 / math.sqrt(3.0))
    # An older round counts half, so its part of the error does too: weights ½, ½, ½ and 1, 1, 1 about a mean of 2 give
    # √(6/5 Σ w² d²) / Σ w = √(6/5 · 2.5) / 4.5.
    twice = _target(rollout, rollout, memory=0.5)
    assert float(twice.standard_error()) == pytest.approx(math.sqrt(1.2 * 2.5) / 4.5)


def test_how_sure_one_episode_is_comes_from_those_that_nobody_supervised():
    target = _target(_rollout([0, 1], [1.0, 2.0]))
    assert target.standard_error().isinf().all(), "it says nothing of how others would be"
    means = torch.tensor([[1.0], [3.0], [5.0]])
    target = TargetFeatures(1)
    target.add_round(_rollout([0, 1], [1.0, 2.0]), episodes_alone=EpisodeMeans(means, means))
    assert float(target.standard_error()) == pytest.approx(2.0)
    # Of two episodes with means of 1 and 2 it is their own, in the same round or in another.
    target.add_round(_rollout([0, 0], [1.0, 2.0], [0, 1]), episodes_alone=EpisodeMeans(means, means))
    assert float(target.standard_error()) == pytest.approx(0.5)
    restored = TargetFeatures(1)
    restored.load_state_dict(target.state_dict())
    assert torch.equal(restored.standard_error(), target.standard_error())
    of_before = {name: value for name, value in target.state_dict().items() if name != "spread_alone"}
    restored.load_state_dict(of_before)
    assert torch.equal(restored.standard_error(), target.standard_error())


def test_standard_error_is_that_of_repeated_rollouts():
    generator = torch.Generator().manual_seed(0)
    episode = [number for number in range(10) for _ in range(8)]
    values, errors = [], []
    for _ in range(300):
        means = torch.randn(10, generator=generator).repeat_interleave(8)
        target = _target(_rollout([0] * 80, (means + 0.5 * torch.randn(80, generator=generator)).tolist(), episode))
        values.append(float(target.value()))
        errors.append(float(target.standard_error()))
    assert sum(errors) / 300 == pytest.approx(float(torch.tensor(values).std()), rel=0.1)


def test_segments_leave_out_reaction_time_and_invalid_steps():
    # fmt: off
    in_control = [0, 0, 0, 1, 1, 0, 0,  1, 0,  0]
    episode    = [0, 0, 0, 0, 0, 0, 0,  1, 1, -1]
    robot      = [1, 0, 0, 0, 0, 1, 1,  0, 1,  0]  # without the 2 steps before the takeover
    person     = [0, 0, 0, 1, 1, 0, 0,  1, 0,  0]
    # fmt: on
    segments = split_segments(_rollout(in_control, [0.0] * 10, episode), reaction_steps=2)
    assert segments.robot.int().flatten().tolist() == robot
    assert segments.person.int().flatten().tolist() == person


def test_target_survives_a_round_trip():
    target = _target(_rollout([0, 1], [1.0, 5.0]), memory=0.5)
    restored = _target(memory=0.5)
    restored.load_state_dict(target.state_dict())
    for current in (target, restored):
        current.add_round(_rollout([1, 0], [2.0, 7.0]))
    assert torch.equal(restored.value(), target.value())


def test_feature_scale_has_a_floor_and_ignores_broken_rows():
    features = torch.tensor([[1.0, 0.5], [3.0, 0.5], [torch.nan, 9.0]])
    assert feature_scale(features, floor=0.1).tolist() == pytest.approx([1.0, 0.1])


def test_gradient_and_steps_equal_hand_arithmetic():
    irl = MaxEntIRL(torch.tensor([2.0, 1.0]), MaxEntIRLCfg(learning_rate=0.1, proportional=2.0))
    gradient = irl.gradient(torch.tensor([3.0, 1.0]), torch.tensor([1.0, 1.0]))
    assert gradient.tolist() == [1.0, 0.0]
    # One step is 0.1, and the reward is two steps ahead: 0.1 + 2 * 0.1.
    assert irl.step(gradient).tolist() == pytest.approx([0.3, 0.0])
    # Without a gradient nothing is ahead: what is left is the sum of the steps.
    assert irl.step(torch.zeros(2)).tolist() == pytest.approx([0.1, 0.0])
    assert irl.is_converged(torch.tensor([0.03, 0.03])) and not irl.is_converged(torch.tensor([0.04, 0.04]))


def test_irl_survives_a_round_trip():
    irl, restored = MaxEntIRL(torch.ones(2)), MaxEntIRL(torch.full((2,), 3.0))
    irl.step(torch.tensor([1.0, -2.0]))
    restored.load_state_dict(irl.state_dict())
    gradient = torch.tensor([0.5, 0.5])
    assert torch.equal(irl.step(gradient), restored.step(gradient))


def test_l2_pulls_towards_zero():
    irl = MaxEntIRL(torch.ones(1), MaxEntIRLCfg(l2=0.5))
    irl.theta.fill_(2.0)
    # φ* - f̄ - l2 θ = 3 - 2 - 0.5 * 2 = 0
    assert float(irl.gradient(torch.tensor([3.0]), torch.tensor([2.0]))) == 0.0


def test_uncertainty_leaves_weights_at_zero_that_the_data_do_not_support():
    """Where f̄ answers in proportion, f̄ = θ, the best θ under slack β is soft-thresholded: sign(φ*) max(|φ*| − β, 0)."""
    target, error = torch.tensor([0.5, -0.5, 0.1, -0.1, 0.3]), torch.tensor([0.1, 0.1, 0.1, 0.1, 0.0])
    irl = MaxEntIRL(torch.ones(5), MaxEntIRLCfg(learning_rate=0.1, proportional=2.0, uncertainty=2.0))
    for _ in range(300):
        gradient = irl.gradient(target, irl.theta, error)
        irl.step(gradient)
    assert irl.theta.tolist() == pytest.approx([0.3, -0.3, 0.0, 0.0, 0.3], abs=1e-3)
    assert irl.is_converged(gradient)
    # Data that withdraw their support bring a weight back to zero, not beyond.
    for _ in range(300):
        irl.step(irl.gradient(0.1 * target, irl.theta, error))
    assert irl.theta.tolist() == pytest.approx([0.0, 0.0, 0.0, 0.0, 0.03], abs=1e-3)
    # An error that nobody knows says nothing, so θ stays where it is.
    assert irl.gradient(target, irl.theta, torch.full((5,), torch.inf)).tolist() == [0.0] * 5


TEMPERATURE = 0.1
PRIOR_GAIN, PRIOR_OFFSET, PRIOR_STD = 0.2, 0.1, 0.5
PRIOR = linear_gaussian_policy(PRIOR_GAIN, PRIOR_OFFSET, PRIOR_STD)
FEATURES = (lambda s, u, n: u, lambda s, u, n: u**2, lambda s, u, n: s * u)


def _one_step_env(num_envs: int, seed: int) -> LinearEnv:
    return LinearEnv(num_envs, bound=-1.0, features=FEATURES, seed=seed)


def _soft_optimal_person(theta: torch.Tensor) -> GaussianPolicy:
    """N(prior) · exp((θ₀ u + θ₁ u² + θ₂ s u) / α): precision 1/σ² − 2θ₁/α, mean linear in s."""
    precision = 1.0 / PRIOR_STD**2 - 2.0 * theta[1] / TEMPERATURE
    gain = (PRIOR_GAIN / PRIOR_STD**2 + theta[2] / TEMPERATURE) / precision
    offset = (PRIOR_OFFSET / PRIOR_STD**2 + theta[0] / TEMPERATURE) / precision
    return linear_gaussian_policy(float(gain), float(offset), float(precision) ** -0.5)


@torch.no_grad()
def _features_of(policy: GaussianPolicy) -> torch.Tensor:
    env = _one_step_env(200_000, seed=11)
    action, _ = policy.sample(env.get_observations()["policy"], torch.Generator().manual_seed(12))
    return env.step(action)[3]["final_obs"]["features"]


def _matched_theta(target: torch.Tensor, scale: torch.Tensor, prior: GaussianPolicy | None) -> torch.Tensor:
    """Returns the θ of the scaled features at which a policy's features are the target, anchored in a prior or not."""
    env = _one_step_env(256, seed=5)
    algorithm = build_residual_sac(
        env,
        LinearReward(0.0, torch.zeros(3), scale),
        ResidualSACCfg(
            policy=PRIOR.cfg,
            critic=CriticCfg(hidden_dims=(64, 64)),
            schedule=UpdateScheduleCfg(reference_batch_size=256, reference_updates_per_step=5),
            temperature=TEMPERATURE,
            prior_temperature=TEMPERATURE,
            learning_rate=3e-3,
            target_rate=0.02,
        ),
        prior,
    )
    irl = MaxEntIRL(scale, MaxEntIRLCfg(learning_rate=0.03, proportional=5.0))
    obs, history = env.get_observations(), []
    for step in range(1, 241):
        obs, rewards, dones, extras = env.step(algorithm.act(obs))
        algorithm.process_env_step(obs, rewards, dones, extras)
        algorithm.update()
        if step % 4 == 0:
            learner = algorithm.storage.latest(4 * 256)["features"]
            algorithm.reward.theta.copy_(irl.step(irl.gradient(target, learner.mean(dim=0))))
            history.append(irl.theta.clone())

    # 1,024 samples leave the newest θ some noise; the mean of the last 30 has less.
    return torch.stack(history[-30:]).mean(dim=0)


@pytest.mark.parametrize("true_theta", [[0.10, -0.06, 0.08], [0.0, 0.0, 0.0]], ids=["residual", "no residual"])
def test_max_ent_irl_recovers_theta_of_a_soft_optimal_person(true_theta):
    true_theta = torch.tensor(true_theta)  # of the scaled features
    scale = feature_scale(_features_of(PRIOR), floor=0.05)
    target = _features_of(_soft_optimal_person(true_theta / scale)).mean(dim=0)
    theta = _matched_theta(target, scale, PRIOR)
    assert float((theta - true_theta).norm()) < 0.015
    if true_theta.any():
        angle = math.degrees(float(torch.cosine_similarity(theta, true_theta, dim=0).acos()))
        assert angle < 5.0


def _features_without_a_prior(theta: torch.Tensor) -> torch.Tensor:
    """Mean features of the person who is soft-optimal for θᵀf alone, by the sum over a grid.

    Entropy is that of the action a = tanh(u), so in u the density is exp(θᵀf / α) (1 − tanh² u).
    """
    state = torch.linspace(-1.0, 1.0, 201).unsqueeze(1)
    u = torch.linspace(-4.0, 4.0, 4_001).unsqueeze(0)
    features = torch.stack([term(state, u, None).expand(201, 4_001) for term in FEATURES], dim=-1)
    log_density = features @ theta / TEMPERATURE + torch.log1p(-torch.tanh(u).square())
    return (features * log_density.softmax(dim=1).unsqueeze(-1)).sum(dim=1).mean(dim=0)


def test_max_ent_irl_without_a_prior_recovers_the_whole_reward():
    true_theta, scale = torch.tensor([0.06, -0.12, 0.05]), torch.tensor([0.5, 0.5, 0.3])
    theta = _matched_theta(_features_without_a_prior(true_theta / scale), scale, prior=None)
    # A squashed Gaussian is not quite of the family exp(θᵀf / α) (1 − tanh² u).
    assert float((theta - true_theta).norm()) < 0.03
    assert math.degrees(float(torch.cosine_similarity(theta, true_theta, dim=0).acos())) < 10.0
