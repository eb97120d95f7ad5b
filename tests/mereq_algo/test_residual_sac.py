# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Residual SAC: it stays where it must, learns the same twice, and goes on as if never interrupted."""

import io

import pytest
import torch

from mereq_algo.networks import CriticCfg, GaussianPolicy, PolicyCfg
from mereq_algo.residual import LinearReward, ResidualSAC, ResidualSACCfg, UpdateScheduleCfg, build_residual_sac

from .analytic_envs import LinearEnv, linear_gaussian_policy


def _build(env: LinearEnv, prior: GaussianPolicy | None = None, theta=(0.0, 0.0), seed: int = 0, **overrides):
    cfg = {
        "policy": PolicyCfg(hidden_dims=(32, 32)),
        "critic": CriticCfg(hidden_dims=(32, 32)),
        "schedule": UpdateScheduleCfg(reference_num_envs=64, reference_batch_size=128),
        "learning_starts": 64,
        "buffer_capacity": 10_000,
        "temperature": 0.1,
        "prior_temperature": 0.1,
    }
    base_weight = 1.0 if prior is None else 0.0
    reward = LinearReward(base_weight, torch.tensor(theta))
    return build_residual_sac(env, reward, ResidualSACCfg(**(cfg | overrides)), prior, seed)


def _learn(algorithm: ResidualSAC, env: LinearEnv, num_steps: int) -> None:
    obs = env.get_observations()
    for _ in range(num_steps):
        obs, rewards, dones, extras = env.step(algorithm.act(obs))
        algorithm.process_env_step(obs, rewards, dones, extras)
        algorithm.update()


def _kl_to_prior(algorithm: ResidualSAC, prior: GaussianPolicy) -> float:
    obs = torch.linspace(-1.0, 1.0, 21).unsqueeze(-1)
    return float(algorithm.policy.distribution(obs).kl_divergence(prior.distribution(obs)).mean())


@pytest.mark.parametrize(("prior_weight", "prior_temperature"), [(1.0, 0.1), (2.0, 0.05)])
def test_policy_stays_prior_when_theta_is_zero(prior_weight, prior_temperature):
    env, prior = LinearEnv(), linear_gaussian_policy(gain=0.8, offset=0.3, std=0.4)
    algorithm = _build(env, prior, prior_weight=prior_weight, prior_temperature=prior_temperature)
    _learn(algorithm, env, 200)
    assert algorithm.num_updates > 300
    assert _kl_to_prior(algorithm, prior) < 1e-4
    batch = algorithm.storage.latest(500)
    assert float(algorithm.critic(batch["obs"], batch["action"]).abs().max()) < 1e-3


def test_policy_returns_to_prior_when_theta_is_zero():
    # With the sign of a prior term wrong, the policy would run away from the prior instead.
    env, prior = LinearEnv(), linear_gaussian_policy(gain=0.8, offset=0.3, std=0.4)
    algorithm = _build(env, prior, learning_rate=3e-3)
    with torch.no_grad():
        algorithm.policy.mlp[0].bias.add_(0.5)
    assert _kl_to_prior(algorithm, prior) > 0.5
    _learn(algorithm, env, 300)
    assert _kl_to_prior(algorithm, prior) < 0.02


def test_what_the_prior_thinks_is_stored_beside_each_transition():
    env, prior = LinearEnv(), linear_gaussian_policy(gain=0.8, offset=0.3, std=0.4)
    algorithm = _build(env, prior, theta=(0.5, 0.2), learning_rate=3e-3)
    _learn(algorithm, env, num_steps=30)
    batch = algorithm.storage.sample(200)
    assert not torch.equal(batch["obs"], batch["next_obs"])
    for column, obs in (("prior", "obs"), ("next_prior", "next_obs")):
        expected = prior.distribution(batch[obs])
        torch.testing.assert_close(batch[column], torch.cat((expected.mean, expected.log_std), dim=1).detach())


def test_a_floor_leaves_the_policy_near_the_prior_when_theta_is_zero():
    env, prior = LinearEnv(), linear_gaussian_policy(gain=0.8, offset=0.3, std=0.4)
    algorithm = _build(env, prior, prior_floor=0.01)
    _learn(algorithm, env, 300)
    assert _kl_to_prior(algorithm, prior) < 0.01


def test_plain_sac_learns_from_scratch():
    # r = -s'^2 is best where 0.5 s + 0.5 u = 0: u = -s, return 0. Doing nothing gives -0.25 E[s^2] = -0.083 a step.
    env = LinearEnv(seed=5)
    algorithm = _build(env, learning_rate=3e-3, temperature=0.005)
    _learn(algorithm, env, 300)
    states = torch.linspace(-0.9, 0.9, 19).unsqueeze(-1)
    reached = 0.5 * states + 0.5 * algorithm.policy.distribution(states).mean
    assert float(reached.square().mean()) < 0.01


def test_automatic_temperature_holds_the_target_entropy():
    env = LinearEnv(seed=5)
    algorithm = _build(env, learning_rate=3e-3, target_entropy=-0.5, temperature_learning_rate=1e-2)
    _learn(algorithm, env, 250)
    assert float(algorithm.update(20)["entropy"]) == pytest.approx(-0.5, abs=0.15)


@pytest.mark.parametrize(
    ("episode_end", "value"),
    # A reward of 1 in every step. Terminated after each: Q = 1. Timed out after each: Q = 1 / (1 - γ) = 2.
    [({"bound": -1.0}, 1.0), ({"max_episode_length": 1}, 2.0)],
    ids=["terminated", "timed out"],
)
def test_value_goes_on_after_a_time_out_and_ends_with_a_termination(episode_end, value):
    env = LinearEnv(features=(lambda s, u, n: torch.ones_like(s),), seed=5, **episode_end)
    algorithm = _build(
        env,
        linear_gaussian_policy(0.8, 0.3, 0.4),
        theta=(1.0,),
        gamma=0.5,
        learning_rate=3e-3,
        target_rate=0.1,
    )
    _learn(algorithm, env, 150)
    batch = algorithm.storage.latest(500)
    assert float(algorithm.critic(batch["obs"], batch["action"]).detach().mean()) == pytest.approx(value, abs=0.1)


def _fingerprint(algorithm: ResidualSAC) -> list[torch.Tensor]:
    return [
        param.detach()
        for module in (algorithm.policy, algorithm.critic, algorithm.updates.target_critic)
        for param in module.parameters()
    ]


@pytest.mark.parametrize("with_prior", [False, True])
def test_two_runs_with_one_seed_are_identical(with_prior):
    runs = []
    for _ in range(2):
        torch.rand(7)  # the global generator must not matter
        env = LinearEnv(seed=5)
        algorithm = _build(env, linear_gaussian_policy(0.8, 0.3, 0.4) if with_prior else None, theta=(0.1, 0.2))
        _learn(algorithm, env, 30)
        runs.append(algorithm)
    for first, second in zip(*map(_fingerprint, runs), strict=True):
        assert torch.equal(first, second)


def test_another_seed_gives_another_run():
    first, second = _build(LinearEnv(), seed=0), _build(LinearEnv(), seed=1)
    obs = LinearEnv().get_observations()
    assert not torch.equal(first.act(obs), second.act(obs))


@pytest.mark.parametrize("overrides", [{}, {"target_entropy": -0.5, "actor_interval": 2}])
def test_interrupted_run_goes_on_as_if_never_interrupted(overrides):
    def start() -> tuple[LinearEnv, ResidualSAC]:
        env = LinearEnv(num_envs=24, seed=5)  # 24 robots: less than one update a step, so some of it is carried over
        return env, _build(env, theta=(0.1, 0.2), **overrides)

    env, uninterrupted = start()
    _learn(uninterrupted, env, 21)
    stored = io.BytesIO()
    torch.save(uninterrupted.state_dict(), stored)
    stored.seek(0)
    env_state, episode_length = env.state.clone(), env.episode_length_buf.clone()
    env_generator, final_obs = env.generator.get_state(), env._final_obs
    _learn(uninterrupted, env, 20)

    env, resumed = start()
    resumed.load_state_dict(torch.load(stored, weights_only=True))
    env.state, env.episode_length_buf, env._final_obs = env_state, episode_length, final_obs
    env.generator.set_state(env_generator)
    _learn(resumed, env, 20)

    assert resumed.num_updates == uninterrupted.num_updates > 0
    for first, second in zip(_fingerprint(resumed), _fingerprint(uninterrupted), strict=True):
        assert torch.equal(first, second)


def test_prior_and_its_normalizer_never_change():
    env, prior = LinearEnv(), linear_gaussian_policy(0.8, 0.3, 0.4)
    before = {name: tensor.clone() for name, tensor in prior.state_dict().items()}
    algorithm = _build(env, prior, theta=(1.0, 1.0))
    _learn(algorithm, env, 20)
    assert _kl_to_prior(algorithm, prior) > 1e-3
    for name, tensor in prior.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert float(algorithm.policy.normalizer.count) == 0


def test_nan_observation_of_one_robot_reaches_neither_buffer_nor_networks():
    env = LinearEnv()
    algorithm = _build(env, learning_starts=1)
    obs = env.get_observations()
    obs["policy"][3] = torch.nan
    actions = algorithm.act(obs)
    assert float(actions[3]) == 0.0
    obs, rewards, dones, extras = env.step(actions)
    algorithm.process_env_step(obs, rewards, dones, extras)
    algorithm.update(3)
    assert int(algorithm.storage.num_rejected) == 1
    assert all(torch.isfinite(tensor).all() for tensor in _fingerprint(algorithm))
    assert torch.isfinite(algorithm.policy.normalizer.mean).all()


@pytest.mark.parametrize(
    ("num_envs", "batch_size", "updates_per_step"),
    [(16, 256, 0.5), (64, 512, 1), (256, 1024, 2), (1024, 2048, 4), (4096, 4096, 8), (16384, 8192, 16)],
)
def test_learning_scales_with_the_number_of_robots(num_envs, batch_size, updates_per_step):
    schedule = UpdateScheduleCfg()
    assert schedule.batch_size(num_envs) == batch_size
    assert schedule.updates_per_step(num_envs) == updates_per_step


@pytest.mark.parametrize("num_envs", [1, 10, 100, 300, 50_000])
def test_every_transition_is_used_equally_often_with_any_number_of_robots(num_envs):
    schedule = UpdateScheduleCfg()
    samples = schedule.batch_size(num_envs) * schedule.updates_per_step(num_envs)
    assert samples / num_envs == pytest.approx(8.0)


@pytest.mark.parametrize("num_envs", [16, 16_384])
def test_few_and_many_robots_learn(num_envs):
    """A dozen steps, with the networks' defaults: the buffer holds them all, and the policy moves."""
    env = LinearEnv(num_envs=num_envs)
    algorithm = _build(env, theta=(0.0, 1.0), schedule=UpdateScheduleCfg(), learning_starts=16, buffer_capacity=1_000)
    before = [param.detach().clone() for param in algorithm.policy.parameters()]
    _learn(algorithm, env, 12)
    assert len(algorithm.storage) == 12 * num_envs
    assert algorithm.num_updates == 12 * UpdateScheduleCfg().updates_per_step(num_envs)
    after = list(algorithm.policy.parameters())
    assert all(torch.isfinite(param).all() for param in after)
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_fractions_of_an_update_are_carried_over():
    env = LinearEnv(num_envs=16)
    algorithm = _build(env, schedule=UpdateScheduleCfg(), learning_starts=16)
    # 0.5 updates a step.
    _learn(algorithm, env, 10)
    assert algorithm.num_updates == 5


def test_scaled_learning_rate_scales_the_step_of_policy_and_critics():
    # Adam's first step has the size of its learning rate in every parameter with a gradient: 0.1 * 1e-3.
    env = LinearEnv()
    algorithm = _build(env, theta=(1.0, 0.5), learning_rate=1e-3, learning_starts=64 * 5)
    _learn(algorithm, env, 4)
    modules = (algorithm.policy, algorithm.critic)
    before = [[param.detach().clone() for param in module.parameters()] for module in modules]
    algorithm.scale_learning_rate(0.1)
    algorithm.update(1)
    for module, old in zip(modules, before, strict=True):
        changes = [(param - was).abs().max() for param, was in zip(module.parameters(), old, strict=True)]
        assert float(torch.stack(changes).max()) == pytest.approx(1e-4, rel=0.01)


def test_misfits_are_refused():
    env = LinearEnv()
    with pytest.raises(ValueError, match="environment has 2 features, theta has 3"):
        _build(env, theta=(0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="takes 2 observations"):
        _build(env, prior=GaussianPolicy(2, 1))
    with pytest.raises(ValueError, match="gamma"):
        ResidualSACCfg(gamma=1.0)
    with pytest.raises(RuntimeError, match="act"):
        algorithm = _build(env)
        algorithm.process_env_step(env.get_observations(), torch.zeros(64), torch.zeros(64), {})


@pytest.mark.parametrize(
    ("asked", "has_instructions", "rounds"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_products_are_rounded_where_that_is_asked_for_and_can_be_had(monkeypatch, asked, has_instructions, rounds):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_instructions})
    env, prior = LinearEnv(), linear_gaussian_policy(gain=0.8, offset=0.3, std=0.4)
    algorithm = _build(env, prior, theta=(0.5, 0.0), bfloat16=asked)
    seen = []
    algorithm.critic.mlps[0][0].register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    _learn(algorithm, env, 20)
    assert algorithm.num_updates > 20
    assert set(seen) == {torch.bfloat16 if rounds else torch.float32}
    assert not torch.is_autocast_enabled("cpu")
    assert {param.dtype for param in algorithm.critic.parameters()} == {torch.float32}
