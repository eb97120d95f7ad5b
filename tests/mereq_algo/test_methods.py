# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The methods that MEReQ is measured against, on problems where the right answer is known."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from tensordict import TensorDict

from mereq_algo.intervention import SupervisedRollout
from mereq_algo.irl import EpisodeMeans, MaxEntIRL, MaxEntIRLCfg
from mereq_algo.methods import (
    METHODS,
    CloningCfg,
    CloningLearner,
    FeatureWindow,
    InnerLoopCfg,
    RewardMatchingLearner,
    balanced_weights,
    run_inner_loop,
)
from mereq_algo.ranks import Ranks
from mereq_algo.records import TIMES, RunFolder
from mereq_algo.residual import LinearReward, build_residual_sac
from mereq_algo.runner import ConfigError, SupervisionRunner, TimedEnv, build_learner

from .analytic_envs import linear_gaussian_policy
from .supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained


def rollout(num_steps: int, person_robots: int, robot_robots: int, robot_offset: float = 0.0) -> SupervisedRollout:
    """A person acts on some robots, u ~ N(1 - s, 0.3²), and robots on their own, u ~ N(robot_offset, 0.3²)."""
    generator = torch.Generator().manual_seed(0)
    shape = (num_steps, person_robots + robot_robots, 1)
    obs = 2.0 * torch.rand(shape, generator=generator) - 1.0
    in_control = torch.zeros(shape[:2], dtype=torch.bool)
    in_control[:, :person_robots] = True
    mean = torch.where(in_control.unsqueeze(-1), 1.0 - obs, robot_offset)
    action = (mean + 0.3 * torch.randn(shape, generator=generator)).tanh()
    features = torch.cat((obs, mean), dim=-1)
    transitions = TensorDict({"obs": obs, "action": action, "features": features}, batch_size=shape[:2])
    done = torch.zeros(shape[:2], dtype=torch.bool)
    return SupervisedRollout(transitions, action, in_control, done, torch.zeros(shape[:2], dtype=torch.long))


def alone(num_episodes: int = 20) -> EpisodeMeans:
    """Whole episodes, of whatever features."""
    generator = torch.Generator().manual_seed(1)
    return EpisodeMeans(*(torch.rand(num_episodes, 2, generator=generator) for _ in range(2)))


def clone(data: SupervisedRollout, only_person: bool) -> CloningLearner:
    prior = trained(0.0)
    cfg = CloningCfg(learning_rate=1e-2, updates_per_round=1_500, batch_size=256)
    learner = CloningLearner(prior.policy, prior.critic, 0.1, cfg, only_person)
    learner.observe(data, [], alone(0))
    window = FeatureWindow(5, slice(None))
    window.add(torch.zeros(4, 2))
    assert learner.align(window, lambda progress: None) is not None
    return learner


def test_the_person_weighs_as_much_as_the_robot():
    # 2 and 4 steps: half of all weight for each side, so 1/4 and 1/8 for each step.
    weights = balanced_weights(torch.tensor([True, False, False, True, False, False]))
    assert weights.tolist() == pytest.approx([1 / 4, 1 / 8, 1 / 8, 1 / 4, 1 / 8, 1 / 8])
    assert balanced_weights(torch.tensor([True, True])).tolist() == pytest.approx([1 / 2, 1 / 2])


def test_hg_dagger_recovers_the_person_on_the_persons_states():
    # The robots' steps, however many, must leave no trace.
    learner = clone(rollout(100, person_robots=10, robot_robots=40, robot_offset=-2.0), only_person=True)
    obs = torch.tensor([[-0.8], [0.0], [0.8]])
    with torch.no_grad():
        found = learner.policy.distribution(obs)
    torch.testing.assert_close(found.mean, 1.0 - obs, atol=0.05, rtol=0.0)
    torch.testing.assert_close(found.log_std.exp(), torch.full_like(obs, 0.3), atol=0.03, rtol=0.0)


@pytest.mark.parametrize(("person_robots", "robot_robots"), [(10, 10), (4, 40)])
def test_weighted_regression_gives_both_sides_half_however_many_steps_they_have(person_robots, robot_robots):
    # In state s the data are N(1 - s, 0.3²) and N(0, 0.3²) with equal weights: mean (1 - s)/2, variance 0.3² plus
    # ((1 - s)/2)² between both. The fit of one Gaussian has these moments; at s = 0 they are 0.5 and 0.09 + 0.25.
    learner = clone(rollout(200, person_robots, robot_robots), only_person=False)
    obs = torch.zeros(1, 1)
    with torch.no_grad():
        found = learner.policy.distribution(obs)
    assert float(found.mean) == pytest.approx(0.5, abs=0.06)
    assert float(found.log_std.exp()) == pytest.approx(0.34**0.5, abs=0.06)


def test_cloning_without_an_intervention_changes_nothing():
    prior = trained(0.0)
    learner = CloningLearner(prior.policy, prior.critic, 0.1, CloningCfg(), only_person=False)
    learner.observe(rollout(10, 0, 4), [], alone(0))
    assert learner.align(FeatureWindow(5, slice(None)), lambda progress: None) is None
    assert torch.equal(learner.policy.state_dict()["mlp.0.weight"], prior.policy.state_dict()["mlp.0.weight"])


def observed(method: str, data: SupervisedRollout):
    """A learner after one round, before any learning."""
    env = SupervisedLinearEnv(num_envs=16)
    learner = build_learner(small_cfg(method=method), env, trained(0.4), SPEC.feature_names, seed=0)
    learner.observe(data, [], alone())
    return learner


@pytest.mark.parametrize(
    ("method", "starts_as_prior", "is_anchored"),
    [("mereq", True, True), ("mereq_np", True, True), ("maxent_ft", True, False), ("maxent", False, False)],
)
def test_methods_differ_in_where_they_start_and_what_anchors_them(method, starts_as_prior, is_anchored):
    learner = observed(method, rollout(10, 2, 2))
    obs = torch.linspace(-1.0, 1.0, 9).unsqueeze(-1)
    with torch.no_grad():
        gap = (learner.policy(obs) - linear_gaussian_policy(0.0, 0.4, 0.3)(obs)).abs().max()
    assert (float(gap) < 1e-6) == starts_as_prior
    assert learner._algorithm.prior_temperature == (0.1 if is_anchored else 0.0)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_what_the_person_watches_first_is_the_prior_or_of_who_starts_from_scratch_untrained(method):
    prior, obs = trained(0.4), torch.linspace(-1.0, 1.0, 9).unsqueeze(-1)
    cfg, env = small_cfg(method=method), SupervisedLinearEnv(num_envs=16)
    torch.manual_seed(7)
    drawn = torch.rand(3)
    torch.manual_seed(7)
    learner = build_learner(cfg, env, prior, SPEC.feature_names, seed=0)
    assert torch.equal(torch.rand(3), drawn), "nobody else's random numbers have changed"
    with torch.no_grad():
        first, priors = learner.policy(obs), prior.policy(obs)
    assert torch.equal(first, priors) == learner.begins_as_prior == (method != "maxent")
    if method == "maxent":
        learner.observe(rollout(10, 2, 2), [], alone())
        assert torch.equal(learner.policy(obs), first), "what was watched is what learns on"
        cfg.maxent_watches_prior_first = True
        learner = build_learner(cfg, env, prior, SPEC.feature_names, seed=0)
        assert learner.begins_as_prior and torch.equal(learner.policy(obs), priors)


def test_a_known_reward_of_the_prior_takes_the_place_of_log_pi():
    prior, env = trained(0.4), SupervisedLinearEnv(num_envs=16)
    with torch.no_grad():
        prior.critic.mlps[0][-1].bias.fill_(3.0)
    cfg = small_cfg(
        sac={"prior_from": "reward", "prior_weight": 0.5, "temperature": 0.1, "critic": {"hidden_dims": [8]}}
    )
    learner = build_learner(cfg, env, prior, SPEC.feature_names, seed=0)
    learner.observe(rollout(10, 2, 2), [], alone())
    algorithm = learner._algorithm
    obs, action = torch.rand(5, 1), torch.rand(5, 1)
    # What is learned is Q of both rewards, so policy, critics and scale of observations go on from the prior's.
    assert algorithm.anchor is None and algorithm.reward.base_weight == 0.5
    for critic in (algorithm.critic, algorithm.updates.target_critic):
        assert torch.equal(critic(obs, action), prior.critic(obs, action))
    assert torch.equal(learner.policy.distribution(obs).mean, prior.policy.distribution(obs).mean)
    before = learner.policy.normalizer.mean.clone()
    learner.policy.update_normalizer(100.0 * torch.ones(50, 1))
    assert torch.equal(learner.policy.normalizer.mean, before)
    # The methods that infer all of the reward are told none of it.
    cfg.method = "maxent_ft"
    told = build_learner(cfg, env, prior, SPEC.feature_names, seed=0)
    told.observe(rollout(10, 2, 2), [], alone())
    assert isinstance(told, RewardMatchingLearner) and told._algorithm is not None
    assert told._algorithm.reward.base_weight == 0.0


def test_what_stands_for_the_prior_is_checked():
    with pytest.raises(ConfigError, match="unknown prior_from 'memory'; choose policy or reward"):
        small_cfg(sac={"prior_from": "memory"})


def test_target_without_pseudo_expert_data_is_the_persons_own():
    data = rollout(50, 2, 6)
    features = data.transitions["features"]
    torch.testing.assert_close(observed("mereq_np", data).target_features, features[:, :2].mean(dim=(0, 1)))
    torch.testing.assert_close(observed("mereq", data).target_features, features.mean(dim=(0, 1)))


def test_learning_settles_by_the_end_of_a_round(tmp_path):
    """The person judges the last policy: learning rate and step of θ have fallen to a tenth by then."""
    env = SupervisedLinearEnv(num_envs=32)
    reward = LinearReward(0.0, torch.zeros(2))
    cfg = small_cfg().sac
    algorithm = build_residual_sac(env, reward, cfg, trained(0.0).policy)
    irl = MaxEntIRL(torch.ones(2), MaxEntIRLCfg(learning_rate=1.0, proportional=0.0, tolerance=1e-9))
    window = FeatureWindow(1, slice(None))
    rates, thetas = [], [irl.theta.clone()]

    def on_progress(progress):
        rates.append(algorithm.updates.optimizers["policy"].learning_rate)
        thetas.append(irl.theta.clone())

    window.add(torch.zeros(32, 2))
    run_inner_loop(
        env,
        algorithm,
        irl,
        partial(irl.gradient, torch.tensor([0.0, 10.0])),
        window,
        InnerLoopCfg(max_steps=100, theta_interval=1, final_rate=0.1),
        ("a", "b"),
        on_progress,
    )
    # 1 - 0.9 * 50 / 100 and 1 - 0.9 * 100 / 100 of 5e-3.
    assert rates[49] == pytest.approx(0.55 * 5e-3) and rates[99] == pytest.approx(0.1 * 5e-3)
    # A gradient of about 10 moves θ by about 10 at first, and by about 1 in the end.
    steps = torch.stack(thetas).diff(dim=0)[:, 1]
    assert float(steps[-1]) < 0.25 * float(steps[1])


@pytest.mark.parametrize("average_steps", [1, 10])
def test_the_policy_of_a_round_is_the_average_of_the_last_ones(average_steps):
    env = SupervisedLinearEnv(num_envs=32)
    reward = LinearReward(0.0, torch.tensor([0.0, 1.0]))
    algorithm = build_residual_sac(env, reward, small_cfg().sac, trained(0.0).policy)
    window, seen = FeatureWindow(1, slice(None)), []
    window.add(torch.zeros(32, 2))

    def weights() -> torch.Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in algorithm.policy.parameters()])

    irl = MaxEntIRL(torch.ones(2), MaxEntIRLCfg(tolerance=1e-9))
    run_inner_loop(
        env,
        algorithm,
        irl,
        partial(irl.gradient, torch.tensor([0.0, 1.0])),
        window,
        InnerLoopCfg(max_steps=40, theta_interval=1, average_steps=average_steps),
        ("a", "b"),
        lambda progress: seen.append(weights()),
    )
    expected = seen[0]
    for newer in seen[1:]:
        expected = expected + (newer - expected) / average_steps
    assert not torch.equal(seen[-1], seen[0]), "the policy learns"
    torch.testing.assert_close(weights(), expected)


class InterruptIn:
    """A listener that presses Ctrl-C while learning in one round."""

    def __init__(self, num_rounds: int) -> None:
        self.num_rounds = num_rounds

    def update(self, record, phase, inner) -> None:
        if phase == "learning" and record.rounds == self.num_rounds:
            raise KeyboardInterrupt


def run(
    root,
    method: str,
    listeners=(),
    learner: str = "sac",
    prior_from: str = "policy",
    objective: str = "features",
    guided: float = 0.0,
) -> SupervisionRunner:
    # The prior, which pushes by 0, is the best there is for this reward.
    env = TimedEnv(SupervisedLinearEnv(num_envs=32, reward=lambda s, u, n: -(u**2)))
    ppo = {"num_steps_per_env": 8, "learning_rate": 5e-3}
    cfg = small_cfg(method=method, learner=learner, ppo=ppo, cloning={"learning_rate": 1e-2, "updates_per_round": 200})
    cfg.sac.prior_from, cfg.irl.objective, cfg.inner.guided_share = prior_from, objective, guided
    if objective == "actions":
        cfg.irl.learning_rate = 0.3
    return SupervisionRunner(
        env, SPEC, trained(0.0), trained(1.0), cfg, RunFolder.create(root, "Linear", method), 3, listeners
    )


def figures(runner: SupervisionRunner) -> dict:
    return {name: value for name, value in runner.folder.read_summary().items() if name not in TIMES}


@pytest.mark.parametrize(
    ("method", "learner", "prior_from", "objective"),
    [
        *((method, "sac", "policy", "features") for method in sorted(METHODS)),
        ("mereq", "ppo", "policy", "features"),
        ("maxent", "ppo", "policy", "features"),
        ("mereq", "sac", "reward", "features"),
        ("mereq", "ppo", "reward", "features"),
        ("mereq", "sac", "policy", "actions"),
        ("mereq", "sac", "reward", "actions"),
    ],
)
def test_every_method_brings_the_policy_nearer_to_the_person(tmp_path, method, learner, prior_from, objective):
    record = run(tmp_path, method, (), learner, prior_from, objective).learn()
    assert record.method == method
    assert record.intervention_rate[-1] < record.intervention_rate[0]
    assert record.expert_return_gap_closed is not None and record.expert_return_gap_closed > 0.3
    infers_reward = method not in ("hg_dagger_ft", "iwr_ft")
    assert all(math.isfinite(norm) == infers_reward for norm in record.gradient_norm)


@pytest.mark.parametrize(
    ("method", "learner", "prior_from", "objective", "guided"),
    [
        ("maxent", "sac", "policy", "features", 0.0),
        ("mereq", "sac", "reward", "features", 0.0),
        ("mereq", "sac", "reward", "features", 0.25),
        ("mereq", "sac", "reward", "actions", 0.0),
        ("mereq", "ppo", "policy", "features", 0.0),
        ("iwr_ft", "sac", "policy", "features", 0.0),
    ],
)
def test_every_kind_of_method_resumes_exactly(tmp_path, method, learner, prior_from, objective, guided):
    whole = run(tmp_path / "whole", method, (), learner, prior_from, objective, guided)
    whole.learn()
    interrupted = run(tmp_path / "part", method, [InterruptIn(2)], learner, prior_from, objective, guided)
    with pytest.raises(KeyboardInterrupt):
        interrupted.learn()
    resumed = run(tmp_path / "other", method, (), learner, prior_from, objective, guided)
    resumed.folder = RunFolder.open(interrupted.folder.path, "Linear")
    resumed.resume()
    resumed.learn()
    assert figures(resumed) == figures(whole)


def test_an_unknown_method_is_refused():
    with pytest.raises(ConfigError, match="unknown method 'dagger'; choose mereq"):
        small_cfg(method="dagger")


def test_an_unknown_learner_is_refused():
    with pytest.raises(ConfigError, match="unknown learner 'td3'; choose sac or ppo"):
        small_cfg(learner="td3")


def test_residual_ppo_is_not_guided():
    with pytest.raises(ConfigError, match="guided_share needs learner=sac"):
        small_cfg(learner="ppo", inner={"guided_share": 0.25})


def test_residual_ppo_learns_in_one_process():
    env = SupervisedLinearEnv(num_envs=16)
    with pytest.raises(ValueError, match="learner=sac, not with learner=ppo"):
        build_learner(small_cfg(learner="ppo"), env, trained(0.4), SPEC.feature_names, 0, Ranks(0, 2))
