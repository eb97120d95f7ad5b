# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A round of supervision, on an analytic task: 8 robots of 32 with a person, episodes of 5 steps, goal 5 %."""

from __future__ import annotations

import pytest
import torch

from mereq_algo.runner import ConfigError, TimedEnv, supervision
from mereq_algo.runner.supervision import Supervision

from .supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained


def _run(**overrides):
    """Run a round; return what it showed and how often the person was said to watch on."""
    env = TimedEnv(SupervisedLinearEnv(num_envs=32))
    env.reset()
    watched_on = []
    part = Supervision(env, SPEC, trained(1.0), small_cfg(**overrides))
    return part.run(trained(0.0).policy, 0, lambda: watched_on.append(1)), len(watched_on)


def test_robots_are_supervised_alone_or_staggered():
    shown, _ = _run(num_alone=10)
    assert shown.rollout.transitions.shape == (5, 8)
    assert shown.alone.episodes == 10 and shown.episode_features.shape == (10, 2)
    assert len(shown.transitions) == 5 and shown.env_steps == 5 * 32
    assert shown.window.samples().shape == (5 * (32 - 8 - 10), 2)


@pytest.mark.parametrize(("takeover_threshold", "num_episodes"), [(0.4, 8 * 2), (3.0, 8 * 6)])
def test_a_person_who_hardly_intervenes_watches_on_in_the_same_round(takeover_threshold, num_episodes):
    """2 episodes of each robot tell of a rate above the goal, 6 of one below."""
    hysteresis = {"takeover_threshold": takeover_threshold, "handback_threshold": 0.3}
    person = {"rule": "action_distance", "hysteresis": hysteresis}
    shown, watched_on = _run(episodes_per_robot=2, final_episodes_per_robot=6, person=person)
    _, num_steps = shown.rollout.steps_per_episode()
    assert num_steps.tolist() == [5] * num_episodes
    assert (shown.rollout.intervention_rate <= 0.05) == (num_episodes == 8 * 6)
    assert watched_on == num_episodes // 8 - 2


def test_watching_on_ends_where_the_rate_rises_above_the_goal(monkeypatch):
    """Two episodes of each robot without an intervention, then one under control all the time: 3, not 6."""
    collect = supervision.collect_supervised_rollout

    def collect_and_control(*args, episodes_per_robot, **kwargs):
        rollout = collect(*args, episodes_per_robot=episodes_per_robot, **kwargs)
        rollout.in_control = torch.full_like(rollout.in_control, episodes_per_robot == 1)
        return rollout

    monkeypatch.setattr(supervision, "collect_supervised_rollout", collect_and_control)
    shown, _ = _run(episodes_per_robot=2, final_episodes_per_robot=6)
    assert shown.rollout.num_steps == 8 * 3 * 5 and shown.rollout.expert_samples == 8 * 5


def test_too_few_robots_are_refused():
    env = TimedEnv(SupervisedLinearEnv(num_envs=8))
    with pytest.raises(ConfigError, match="num_envs is 8 and num_supervised 8"):
        Supervision(env, SPEC, trained(1.0), small_cfg())
