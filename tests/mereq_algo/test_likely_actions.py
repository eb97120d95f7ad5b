# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""θ from the person's actions where the right answer is known: successor features, corrections, what they lead to."""

from __future__ import annotations

import pytest
import torch
from tensordict import TensorDict

from mereq_algo.intervention import SupervisedRollout
from mereq_algo.irl import Corrections, EpisodeMeans, MaxEntIRL, MaxEntIRLCfg
from mereq_algo.methods import FeatureWindow, RewardMatchingLearner
from mereq_algo.residual import LinearReward, build_residual_sac
from mereq_algo.runner import ConfigError, build_learner

from .analytic_envs import LinearEnv, linear_gaussian_policy
from .supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained


def test_successor_features_are_the_discounted_features_that_follow():
    # f = s' and u, γ = 0.5. From the second step on, u ~ N(0.2, 0.3²) makes 0.5 s + 0.1 of s. So ψ of s' is a s' + b
    # with a = 1 + γ 0.5 a and b = γ (0.1 a + b), and that of u is u + γ 0.2 / (1 - γ).
    env = LinearEnv(features=(lambda s, u, n: n, lambda s, u, n: u))
    prior = linear_gaussian_policy(gain=0.0, offset=0.2, std=0.3)
    cfg = small_cfg(
        sac={"gamma": 0.5, "learning_rate": 3e-3, "learning_starts": 64, "critic": {"hidden_dims": [64, 64]}}
    ).sac
    scale = torch.tensor([0.5, 2.0])
    algorithm = build_residual_sac(
        env, LinearReward(0.0, torch.zeros(2), scale), cfg, prior, learns_successor_features=True
    )
    for _ in range(600):
        obs = env.get_observations()
        algorithm.process_env_step(*env.step(algorithm.act(obs)))
        algorithm.update()
    psi = algorithm.successor_features
    assert psi is not None
    a = 1.0 / (1.0 - 0.25)
    b = 0.5 * 0.1 * a / (1.0 - 0.5)
    drawn = torch.Generator().manual_seed(0)
    state = torch.rand(200, 1, generator=drawn) - 0.5
    push = 0.2 + 0.6 * (torch.rand(200, 1, generator=drawn) - 0.5)  # within a standard deviation: what it has seen
    following = 0.5 * state + 0.5 * push
    expected = torch.cat((a * following + b, push + 0.5 * 0.2 / (1.0 - 0.5)), dim=1) / scale
    with torch.no_grad():
        found = psi(state, push.tanh())
    torch.testing.assert_close(found, expected, atol=0.15, rtol=0.0)
    # Of two actions in one state the difference is that of what they bring.
    advantage = psi.advantage(algorithm.policy, state, push.tanh(), algorithm.generator, num_samples=200)
    wanted = torch.cat((0.5 * a * (push - 0.2), push - 0.2), dim=1) / scale
    torch.testing.assert_close(advantage, wanted, atol=0.2, rtol=0.0)


def corrected(person_pushes: float, person_robots: int, robot_robots: int, num_steps: int = 50) -> SupervisedRollout:
    """A person pushes u ~ N(person_pushes, 0.3²) where s > 0.2, on some robots; the others push N(0, 0.3²) anywhere."""
    generator = torch.Generator().manual_seed(0)
    shape = (num_steps, person_robots + robot_robots, 1)
    obs = 2.0 * torch.rand(shape, generator=generator) - 1.0
    in_control = torch.zeros(shape[:2], dtype=torch.bool)
    in_control[:, :person_robots] = True
    obs[in_control] = 0.6 + 0.4 * obs[in_control]
    push = torch.where(in_control.unsqueeze(-1), person_pushes, 0.0) + 0.3 * torch.randn(shape, generator=generator)
    values = {"obs": obs, "action": push.tanh(), "features": torch.cat((obs, push), dim=-1)}
    nobody = torch.zeros(shape[:2], dtype=torch.bool)
    return SupervisedRollout(
        TensorDict(values, batch_size=shape[:2]),
        push.tanh(),
        in_control,
        nobody,
        torch.zeros(shape[:2], dtype=torch.long),
    )


def aligned(objective: str) -> tuple[RewardMatchingLearner, torch.Tensor]:
    """A learner that saw the person push by 0.5 in a fifth of the steps, and its mean push from -1 to 1."""
    env = SupervisedLinearEnv(num_envs=64)
    cfg = small_cfg(irl={"objective": objective, "learning_rate": 0.05, "tolerance": 1e-6, "proportional": 0.0})
    cfg.sac.gamma = 0.0
    cfg.sac.critic.hidden_dims = (32, 32)
    cfg.inner.max_steps, cfg.inner.final_rate = 500, 0.1
    learner = build_learner(cfg, env, trained(0.0), SPEC.feature_names, seed=0)
    assert isinstance(learner, RewardMatchingLearner)
    episodes = EpisodeMeans(*(torch.rand(20, 2, generator=torch.Generator().manual_seed(1)) for _ in range(2)))
    learner.observe(corrected(0.5, 5, 20), [], episodes)
    window = FeatureWindow(5, slice(None))
    window.add(torch.zeros(64, 2))
    assert learner.align(window, lambda progress: None) is not None
    with torch.no_grad():
        pushes = learner.policy.distribution(torch.linspace(-0.9, 0.9, 7).unsqueeze(1)).mean
    return learner, pushes


def test_actions_say_what_the_mean_features_hide():
    # Without a future, π̂ ∝ π exp(θ u / α) = N(θ σ² / α, σ²): the person's 0.5 is θ = 0.5 · 0.1 / 0.3² = 0.56.
    learner, pushes = aligned("actions")
    assert learner.theta is not None
    assert float(learner.theta[1]) == pytest.approx(0.5 * 0.1 / 0.09, abs=0.08)
    assert float(learner.theta[0]) == pytest.approx(0.0, abs=0.15), "no action changes s"
    torch.testing.assert_close(pushes, torch.full_like(pushes, 0.5), atol=0.12, rtol=0.0)
    # By its mean features, four fifths of which are the robot's, the same person wants a push of 0.1.
    _, by_features = aligned("features")
    assert float(by_features.mean()) == pytest.approx(0.1, abs=0.08)


def test_corrections_are_the_persons_steps_alone_and_never_fade():
    rollout, corrections = corrected(0.5, 2, 3, num_steps=4), Corrections()
    assert len(corrections) == 0
    rollout.transitions["obs"][1, 0] = torch.nan
    corrections.add_round(rollout)
    corrections.add_round(corrected(0.5, 1, 3, num_steps=4))
    assert len(corrections) == 7 + 4
    assert bool((corrections.obs > 0.2).all()) and corrections.action.shape == (11, 1)
    again = Corrections()
    again.load_state_dict(corrections.state_dict())
    assert torch.equal(again.obs, corrections.obs) and torch.equal(again.action, corrections.action)


def test_the_gradient_is_the_mean_advantage_less_a_pull():
    irl = MaxEntIRL(torch.ones(2), MaxEntIRLCfg(objective="actions", l2=0.5))
    irl.theta.copy_(torch.tensor([1.0, -2.0]))
    advantages = torch.tensor([[1.0, 0.0], [3.0, 2.0]])
    torch.testing.assert_close(irl.gradient_of_actions(advantages), torch.tensor([2.0 - 0.5, 1.0 + 1.0]))
    assert not irl.is_converged(torch.zeros(2)), "as it is before the successor features have learned anything"


def test_without_an_intervention_there_is_nothing_to_learn_from():
    cfg = small_cfg(irl={"objective": "actions"})
    learner = build_learner(cfg, SupervisedLinearEnv(num_envs=16), trained(0.0), SPEC.feature_names, seed=0)
    learner.observe(corrected(0.5, 0, 4), [], EpisodeMeans(torch.rand(9, 2), torch.rand(9, 2)))
    window = FeatureWindow(5, slice(None))
    window.add(torch.zeros(16, 2))
    assert learner.align(window, lambda progress: None) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"irl": {"objective": "states"}}, "unknown irl.objective 'states'; choose features or actions"),
        ({"irl": {"objective": "actions", "uncertainty": 1.0}}, "irl.uncertainty needs objective=features"),
        ({"irl": {"objective": "actions"}, "learner": "ppo"}, "irl.objective=actions needs learner=sac"),
        ({"irl": {"objective": "actions"}, "method": "mereq_np"}, "mereq_np needs irl.objective=features"),
    ],
)
def test_what_does_not_go_together_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        small_cfg(**values)
