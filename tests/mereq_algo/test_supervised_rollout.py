# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Supervised rollouts: whole episodes, with a flag on every step."""

import math

import pytest
import torch
from tensordict import TensorDict

from mereq_algo.intervention import (
    ActionDistanceRule,
    AdvantageGapRule,
    Hysteresis,
    HysteresisCfg,
    PersonDecision,
    SyntheticPerson,
    collect_supervised_rollout,
)
from mereq_algo.networks import TwinCritic
from mereq_algo.networks.tanh_normal import inverse_tanh

from .analytic_envs import LinearEnv, linear_gaussian_policy

ROBOT = linear_gaussian_policy(gain=0.0, offset=0.0, std=0.3)
EXPERT = linear_gaussian_policy(gain=0.0, offset=1.0, std=0.3)


class ScriptedPerson:
    """Is in control in given steps of every episode, and then always does 0.5."""

    def __init__(self, steps: set[int]) -> None:
        self.steps = steps
        self.step = torch.zeros(0, dtype=torch.long)

    def reset(self, done: torch.Tensor) -> None:
        self.step = torch.where(done, 0, self.step) if len(self.step) else torch.zeros(len(done), dtype=torch.long)

    def observe(self, obs: TensorDict, robot_action: torch.Tensor) -> PersonDecision:
        in_control = torch.tensor([int(step) in self.steps for step in self.step])
        self.step = self.step + 1
        return PersonDecision(in_control, torch.full_like(robot_action, 0.5))


def _synthetic_person(num_supervised: int, **overrides) -> SyntheticPerson:
    cfg = {"takeover_threshold": 0.5, "handback_threshold": 0.2, "patience_takeover": 1, "patience_handback": 1}
    hysteresis = Hysteresis(num_supervised, HysteresisCfg(**(cfg | overrides)))
    return SyntheticPerson(EXPERT, ActionDistanceRule(EXPERT), hysteresis)


def test_flags_actions_and_counts_equal_those_made_by_hand():
    env = LinearEnv(num_envs=4, max_episode_length=5)
    rollout = collect_supervised_rollout(env, ROBOT, ScriptedPerson({1, 2, 4}), num_supervised=3, episodes_per_robot=2)
    # 3 robots x 2 episodes x 5 steps, of which the person takes steps 1, 2 and 4, in two takeovers.
    assert rollout.in_control.int().tolist() == [[flag] * 3 for flag in [0, 1, 1, 0, 1] * 2]
    assert rollout.episode.tolist() == [[0] * 3] * 5 + [[1] * 3] * 5
    assert rollout.num_steps == 30
    assert rollout.expert_samples == 18
    assert rollout.intervention_rate == pytest.approx(0.6)
    assert rollout.num_takeovers == 3 * 2 * 2
    num_controlled, num_steps = rollout.steps_per_episode()
    assert num_controlled.tolist() == [3] * 6
    assert num_steps.tolist() == [5] * 6
    # The robot would have done 0; the person did 0.5.
    assert float(rollout.robot_action.abs().max()) == 0.0
    torch.testing.assert_close(rollout.transitions["action"].squeeze(-1), 0.5 * rollout.in_control.float())


def test_transitions_are_those_of_what_was_carried_out():
    env = LinearEnv(num_envs=4, max_episode_length=5, features=(lambda s, u, n: n,))
    steps = collect_supervised_rollout(env, ROBOT, ScriptedPerson({2}), num_supervised=2).valid_transitions()
    expected = 0.5 * steps["obs"] + 0.5 * inverse_tanh(steps["action"])
    torch.testing.assert_close(steps["next_obs"], expected)
    torch.testing.assert_close(steps["features"], expected)
    assert not steps["terminated"].any()


def test_episodes_are_whole_although_robots_start_and_finish_at_different_times():
    # Robots at steps 0, 1, 2, 3 of 5-step episodes: all but the first finish theirs before supervision begins.
    env = LinearEnv(num_envs=4, max_episode_length=5)
    env.episode_length_buf = torch.arange(4)
    rollout = collect_supervised_rollout(env, ROBOT, ScriptedPerson({0}), num_supervised=4, episodes_per_robot=2)
    num_controlled, num_steps = rollout.steps_per_episode()
    assert num_steps.tolist() == [5] * 8
    assert num_controlled.tolist() == [1] * 8
    # Nobody is in control outside of supervised episodes, where the executed action is the robot's own.
    outside = rollout.episode < 0
    assert outside.any(dim=0).tolist() == [True] * 4
    assert not rollout.in_control[outside].any()
    assert torch.equal(rollout.transitions["action"][outside], rollout.robot_action[outside])


def test_termination_ends_an_episode():
    env = LinearEnv(num_envs=64, max_episode_length=20, bound=0.9, decay=1.0, gain=1.0, seed=5)
    rollout = collect_supervised_rollout(
        env, ROBOT, ScriptedPerson(set()), num_supervised=32, generator=torch.Generator().manual_seed(0)
    )
    assert rollout.transitions["terminated"][rollout.valid].any()
    assert int((rollout.done & rollout.valid).sum()) == 32
    _, num_steps = rollout.steps_per_episode()
    assert len(num_steps) == 32 and int(num_steps.min()) < 20


def test_supervised_robots_do_not_depend_on_how_many_there_are():
    def collect(num_supervised: int):
        env = LinearEnv(num_envs=1_000, seed=5)
        return collect_supervised_rollout(env, ROBOT, _synthetic_person(num_supervised), num_supervised)

    one, thousand = collect(1), collect(1_000)
    assert torch.equal(one.in_control, thousand.in_control[:, :1])
    torch.testing.assert_close(one.transitions["action"], thousand.transitions["action"][:, :1])


def test_synthetic_person_intervenes_until_the_robot_agrees():
    # Robot 0, person tanh(1) = 0.76 > 0.5 for ever: the person takes over on the third step and keeps control.
    rollout = collect_supervised_rollout(
        LinearEnv(num_envs=4), ROBOT, _synthetic_person(2, patience_takeover=3), num_supervised=2
    )
    assert rollout.in_control[:, 0].tolist() == [False, False, True, True, True]
    assert float(rollout.transitions["action"][3, 0]) == pytest.approx(math.tanh(1.0))
    # A robot that is the expert is never interrupted.
    assert collect_supervised_rollout(LinearEnv(), EXPERT, _synthetic_person(9), 9).intervention_rate == 0.0


def test_part_of_the_first_robots_is_what_they_alone_would_have_shown():
    def collect(num_supervised: int):
        env = LinearEnv(num_envs=4, max_episode_length=5, seed=5)
        return collect_supervised_rollout(env, ROBOT, _synthetic_person(num_supervised), num_supervised, 2)

    part, alone = collect(4).of_first(3), collect(3)
    assert part.num_supervised == 3 and part.num_steps == 3 * 2 * 5
    assert part.expert_samples == alone.expert_samples > 0 and part.num_takeovers == alone.num_takeovers
    for counted, expected in zip(part.steps_per_episode(), alone.steps_per_episode(), strict=True):
        assert counted.tolist() == expected.tolist()
    assert torch.equal(part.valid_transitions()["action"], alone.valid_transitions()["action"])


def test_every_step_of_every_robot_is_reported():
    sizes = []
    env = LinearEnv(num_envs=7, max_episode_length=5)
    collect_supervised_rollout(
        env, ROBOT, ScriptedPerson({0}), num_supervised=2, on_step=lambda step, dones, extras: sizes.append(len(step))
    )
    assert sizes == [7] * 5


def test_robots_run_on_until_the_others_have_shown_enough():
    sizes, env = [], LinearEnv(num_envs=7, max_episode_length=5)
    rollout = collect_supervised_rollout(
        env,
        ROBOT,
        ScriptedPerson(set(range(20))),
        num_supervised=2,
        on_step=lambda step, dones, extras: sizes.append(len(step)),
        is_enough=lambda: len(sizes) >= 8,
    )
    assert len(sizes) == 8 and rollout.num_steps == rollout.expert_samples == 2 * 5
    assert not rollout.in_control[5:].any()


def test_broken_step_is_not_counted():
    env = LinearEnv(num_envs=2, features=(lambda s, u, n: torch.where(s == s[0], torch.nan, n),))
    rollout = collect_supervised_rollout(env, ROBOT, ScriptedPerson({0, 1}), num_supervised=2)
    assert rollout.num_steps == 5
    assert rollout.expert_samples == 2
    assert rollout.valid_transitions().batch_size == (5,)


def test_impossible_requests_are_refused():
    env = LinearEnv(num_envs=4)
    for num_supervised, episodes in ((5, 1), (0, 1), (1, 0)):
        with pytest.raises(ValueError, match="supervised"):
            collect_supervised_rollout(env, ROBOT, ScriptedPerson(set()), num_supervised, episodes)
    env.max_episode_length = 2  # says 2, but an episode never ends
    env.step = lambda actions, step=env.step: (lambda o, r, d, x: (o, r, 0 * d, x))(*step(actions))
    with pytest.raises(RuntimeError, match="not over after 4 steps"):
        collect_supervised_rollout(env, ROBOT, ScriptedPerson(set()), 1)


def test_action_distance_is_the_root_mean_square():
    rule = ActionDistanceRule(EXPERT)
    robot_action = torch.tensor([[math.tanh(1.0)], [math.tanh(1.0) - 0.3]])
    assert rule.disagreement(torch.zeros(2, 1), robot_action).tolist() == pytest.approx([0.0, 0.3], abs=1e-6)


def test_advantage_gap_is_the_value_lost():
    class QuadraticCritic(TwinCritic):
        """Q = -(a - tanh(1))² and Q + 1: the smaller one counts."""

        def forward(self, obs, action):
            value = -(action - math.tanh(1.0)).square().squeeze(-1)
            return torch.stack((value, value + 1.0))

    rule = AdvantageGapRule(EXPERT, QuadraticCritic(1, 1, EXPERT.normalizer))
    robot_action = torch.tensor([[math.tanh(1.0)], [math.tanh(1.0) - 0.3]])
    assert rule.disagreement(torch.zeros(2, 1), robot_action).tolist() == pytest.approx([0.0, 0.09], abs=1e-6)
