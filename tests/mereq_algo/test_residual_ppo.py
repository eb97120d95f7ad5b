# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Residual PPO, alone and in rsl_rl's runner, against problems that are solved on paper."""

import copy
import dataclasses
import math

import pytest
import torch
from rsl_rl.runners import OnPolicyRunner
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from mereq_algo.networks import (
    CheckpointError,
    CheckpointInfo,
    CriticCfg,
    NotFiniteError,
    TanhNormal,
    TwinCritic,
    load_checkpoint,
    save_checkpoint,
)
from mereq_algo.networks.tanh_normal import inverse_tanh, log_tanh_slope
from mereq_algo.residual import LearningLoop, LinearReward, OnPolicyLearning, ResidualPPOCfg, ResidualSACCfg
from mereq_algo.residual.ppo_actor import TanhNormalDistribution

from .analytic_envs import LinearEnv, linear_gaussian_policy


def _build(env, theta, prior, anchored=True, **shared):
    settings = {"temperature": 0.1, "prior_temperature": 0.1, "critic": CriticCfg(hidden_dims=(64, 64))} | shared
    cfg = ResidualPPOCfg(num_steps_per_env=8, learning_rate=1e-2)
    reward = LinearReward(0.0, torch.tensor(theta))
    return OnPolicyLearning(env, reward, cfg, ResidualSACCfg(**settings), prior, anchored)


def _learn(env, algorithm, num_steps):
    with LearningLoop(env, algorithm) as loop:
        for step in range(num_steps):
            algorithm.scale_learning_rate(1.0 - 0.9 * step / num_steps)
            loop.step()


def _kl_to_prior(algorithm, prior):
    obs = torch.linspace(-1.0, 1.0, 21).unsqueeze(-1)
    with torch.no_grad():
        return float(algorithm.policy.distribution(obs).kl_divergence(prior.distribution(obs)).mean())


def test_policy_stays_prior_when_theta_is_zero():
    env, prior = LinearEnv(), linear_gaussian_policy(gain=0.8, offset=0.3, std=0.4)
    algorithm = _build(env, (0.0, 0.0), prior)
    _learn(env, algorithm, 200)
    assert algorithm.num_updates == 25
    assert _kl_to_prior(algorithm, prior) < 1e-4


def test_prior_never_changes():
    env, prior = LinearEnv(), linear_gaussian_policy(0.8, 0.3, 0.4)
    before = copy.deepcopy(prior.state_dict())
    algorithm = _build(env, (1.0, 1.0), prior)
    _learn(env, algorithm, 100)
    assert _kl_to_prior(algorithm, prior) > 1e-2
    for name, tensor in prior.state_dict().items():
        assert torch.equal(tensor, before[name]), name
        assert torch.equal(algorithm.ppo.anchor.prior.state_dict()[name], before[name]), name


@pytest.mark.parametrize(
    ("prior_weight", "temperature"), [(1.0, 0.1), (0.5, 0.1), (1.0, 0.3)], ids=["residual", "half", "hotter"]
)
def test_one_step_policy_matches_the_closed_form(prior_weight, temperature):
    # As in test_residual_closed_forms: π̂(u) ∝ exp((-curvature/2 (u - best)² + ωα log π(u)) / α̂).
    mean, std, curvature, best = 0.3, 0.4, 0.8, -0.5
    anchor = prior_weight * 0.1
    env = LinearEnv(
        num_envs=256,
        bound=-1.0,  # every step terminates
        features=(lambda s, u, n: u, lambda s, u, n: u**2, lambda s, u, n: log_tanh_slope(u)),
        seed=5,
    )
    theta = (curvature * best, -curvature / 2, anchor - temperature)
    prior = linear_gaussian_policy(0.0, mean, std)
    algorithm = _build(env, theta, prior, prior_weight=prior_weight, temperature=temperature)
    _learn(env, algorithm, 800)

    precision = (curvature + anchor / std**2) / temperature
    expected_mean = (curvature * best + anchor * mean / std**2) / (temperature * precision)
    with torch.no_grad():
        learned = algorithm.policy.distribution(torch.zeros(1, 1))
    assert float(learned.mean) == pytest.approx(expected_mean, abs=0.05)
    assert float(learned.log_std.exp()) == pytest.approx(precision**-0.5, rel=0.1)


def test_a_time_out_is_worth_what_would_have_followed():
    # Reward 1 in every step, for ever: V = 1 / (1 - γ), whether or not the episode is cut after five steps.
    env = LinearEnv(num_envs=128, max_episode_length=5, features=(lambda s, u, n: torch.ones_like(s),))
    prior = linear_gaussian_policy(0.0, 0.0, 0.4)
    algorithm = _build(env, (1.0,), prior, gamma=0.8)
    _learn(env, algorithm, 600)
    value = algorithm.ppo.critic(env.get_observations()).detach()
    assert float(value.mean()) == pytest.approx(5.0, rel=0.05)


def test_a_robot_with_broken_physics_teaches_nothing():
    env, prior = LinearEnv(), linear_gaussian_policy(0.8, 0.3, 0.4)
    algorithm = _build(env, (0.5, 0.2), prior)
    obs = env.get_observations()
    for step in range(16):  # episodes end at steps 4, 9 and 14
        if step == 3:
            obs["policy"][5] = torch.nan
        actions = algorithm.act(obs)
        assert torch.isfinite(actions).all()
        obs, rewards, dones, extras = env.step(actions)
        if step == 6:
            obs["features"][7] = torch.nan
        if step == 7:  # the last of a rollout, whose value is asked for
            obs["policy"][11] = torch.nan
        if step == 11:
            obs["policy"][9] = math.inf
        algorithm.process_env_step(obs, rewards, dones, extras)
        algorithm.update()
    # One robot was broken before a step, one had broken features, and two were broken after a step and before the next.
    assert int(algorithm.num_rejected) == 1 + 1 + 2 + 2
    assert all(torch.isfinite(p).all() for p in algorithm.ppo.actor.parameters())
    assert all(torch.isfinite(p).all() for p in algorithm.ppo.critic.parameters())


def test_two_runs_are_identical_and_a_third_goes_on_from_a_saved_state():
    def start():
        env = LinearEnv()
        return env, _build(env, (0.5, 0.2), linear_gaussian_policy(0.8, 0.3, 0.4))

    (env, whole), (other_env, other) = start(), start()
    torch.manual_seed(1)
    _learn(env, whole, 40)
    torch.manual_seed(2)  # what the global generator does is nobody's business here
    _learn(other_env, other, 40)
    _, resumed = start()
    resumed.load_state_dict(other.state_dict())
    assert resumed.num_updates == 5
    _learn(env, whole, 40)
    _learn(other_env, resumed, 40)
    for a, b in zip(whole.policy.parameters(), resumed.policy.parameters(), strict=True):
        assert torch.equal(a, b)


def test_an_unfinished_rollout_is_forgotten():
    env = LinearEnv()
    algorithm = _build(env, (0.5, 0.2), linear_gaussian_policy(0.8, 0.3, 0.4))
    _learn(env, algorithm, 11)
    assert algorithm.ppo.storage.step == 3
    _learn(env, algorithm, 7)
    assert algorithm.num_updates == 1


def test_distribution_is_that_of_the_policies():
    distribution = TanhNormalDistribution(2, min_log_std=-3.0, max_log_std=0.5)
    output = torch.randn(64, 4)
    distribution.update(output)
    ours = TanhNormal.from_output(output, -3.0, 0.5)
    exact = TransformedDistribution(Normal(ours.mean, ours.log_std.exp()), TanhTransform(cache_size=1))
    actions = distribution.sample()
    torch.testing.assert_close(distribution.log_prob(actions), exact.log_prob(actions).sum(-1), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(distribution.mean, ours.mean.tanh())
    assert float(distribution.kl_divergence(distribution.params, distribution.params).abs().max()) == 0.0
    many = torch.stack([distribution.entropy for _ in range(400)]).mean(dim=0)
    expected = -torch.stack([exact.log_prob(exact.sample()).sum(-1) for _ in range(400)]).mean(dim=0)
    torch.testing.assert_close(many, expected, atol=0.3, rtol=0.1)


def test_a_guide_is_refused():
    env = LinearEnv()
    algorithm = _build(env, (0.0, 0.0), linear_gaussian_policy(0.8, 0.3, 0.4))
    with pytest.raises(ValueError, match="off-policy"):
        algorithm.act(env.get_observations(), guide=lambda obs, actions: actions)


@pytest.fixture
def runner_cfg(tmp_path):
    prior = linear_gaussian_policy(0.8, 0.3, 0.4)
    critic = TwinCritic(1, 1, prior.normalizer, CriticCfg(hidden_dims=(8,)))
    save_checkpoint(tmp_path / "prior.safetensors", prior, critic, CheckpointInfo("Linear", 0.1))
    return {
        "num_steps_per_env": 8,
        "save_interval": 100,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "actor": {
            "class_name": "mereq_algo.residual:PolicyActor",
            "policy_file": str(tmp_path / "prior.safetensors"),
        },
        "critic": {"class_name": "MLPModel", "hidden_dims": [32], "obs_normalization": True},
        "algorithm": {"class_name": "mereq_algo.residual:ResidualPPO", "reward": {"base_weight": 1.0}, "gamma": 0.9},
    }


def test_rsl_rl_trains_it_saves_it_and_exports_it(runner_cfg, tmp_path):
    env = LinearEnv(reward=lambda s, u, n: -2.0 * (n - 0.5) ** 2)
    prior = linear_gaussian_policy(0.8, 0.3, 0.4)
    runner = OnPolicyRunner(env, runner_cfg, log_dir=str(tmp_path))
    assert runner.alg.temperature == pytest.approx(0.1)  # the file's

    def distance():
        state = torch.linspace(-1.0, 1.0, 21).unsqueeze(-1)
        action = runner.alg.actor.policy(state).detach()
        return float((0.5 * state + 0.5 * inverse_tanh(action) - 0.5).abs().mean())

    before = distance()
    runner.learn(40)
    assert distance() < 0.5 * before
    runner.export_policy_to_jit(str(tmp_path))
    exported = torch.jit.load(tmp_path / "policy.pt")
    obs = env.get_observations()
    torch.testing.assert_close(exported(obs["policy"]), runner.get_inference_policy()(obs))

    second = OnPolicyRunner(env, runner_cfg, log_dir=str(tmp_path / "second"))
    second.load(str(tmp_path / "model_39.pt"))
    torch.testing.assert_close(second.get_inference_policy()(obs), runner.get_inference_policy()(obs))
    frozen = second.alg.anchor.prior
    torch.testing.assert_close(frozen(obs["policy"]), prior(obs["policy"]))


OWN = {"rate_hz": 20.0, "actions": {"push.step_size": 0.05}}
OTHER = {"rate_hz": 10.0, "actions": {"push.step_size": 0.05}}


@pytest.mark.parametrize(
    ("told", "opened", "message"),
    [
        ({"meaning": OWN}, OWN, None),
        ({"meaning": OTHER, "settings": ["env.decimation=10"]}, OTHER, None),
        ({"meaning": OTHER, "settings": ["env.decimation=10"]}, OWN, "trained at 10 Hz.*would act at 20 Hz.*mation=10"),
        ({"meaning": OWN}, OTHER, "trained at 20 Hz.*would act at 10 Hz"),
        ({"extra": {"command": "train_policy.py --reward prior"}}, OWN, None),
        ({"extra": {"command": "train_policy.py --reward prior"}}, OTHER, "trained at 20 Hz.*would act at 10 Hz"),
        ({"extra": {"command": "train_policy.py env.decimation=10"}}, OWN, "does not say what it was trained with"),
        ({}, OWN, "does not say what it was trained with"),
        ({}, None, None),
    ],
)
def test_a_prior_acts_only_as_it_was_trained(runner_cfg, monkeypatch, told, opened, message):
    env = LinearEnv()
    monkeypatch.setattr(type(env), "unwrapped", property(lambda self: self), raising=False)
    if opened is not None:
        env.policy_meaning, env.own_policy_meaning = opened, OWN
    file = runner_cfg["actor"]["policy_file"]
    policy, critic, info = load_checkpoint(file)
    save_checkpoint(file, policy, critic, dataclasses.replace(info, **told))
    if message is None:
        OnPolicyRunner(env, runner_cfg)
        return
    with pytest.raises(CheckpointError, match=message):
        OnPolicyRunner(env, runner_cfg)


def test_an_actor_of_a_file_has_to_know_its_environment(runner_cfg):
    """rsl_rl's own PPO does not tell."""
    runner_cfg["algorithm"] = {"class_name": "PPO"}
    with pytest.raises(ValueError, match="needs env_meaning"):
        OnPolicyRunner(LinearEnv(), runner_cfg)


def test_rsl_rl_saves_no_checkpoint_of_training_that_diverged(runner_cfg, tmp_path):
    runner = OnPolicyRunner(LinearEnv(), runner_cfg, log_dir=str(tmp_path))
    runner.save(str(tmp_path / "good.pt"))
    with torch.no_grad():
        next(runner.alg.actor.parameters()).view(-1)[0] = math.nan
    with pytest.raises(NotFiniteError, match="training diverged: 1 of"):
        runner.save(str(tmp_path / "bad.pt"))
    assert (tmp_path / "good.pt").is_file() and not (tmp_path / "bad.pt").exists()


def test_a_feature_that_there_is_not_is_named(runner_cfg, monkeypatch):
    class Manager:
        active_terms = {"features": ["state", "push"]}

    env = LinearEnv()
    monkeypatch.setattr(type(env), "unwrapped", property(lambda self: self), raising=False)
    env.observation_manager = Manager()
    runner_cfg["algorithm"]["reward"] = {"theta": {"pull": 1.0}}
    with pytest.raises(ValueError, match="no feature pull; there are state, push"):
        OnPolicyRunner(env, runner_cfg)
