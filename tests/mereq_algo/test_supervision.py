# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A round of supervision, on an analytic task with episodes of 5 steps; the goal is a rate of 5 %."""

from __future__ import annotations

import pytest
import torch
from tensordict import TensorDict

from mereq_algo.intervention import SupervisedRollout
from mereq_algo.runner import ConfigError, TimedEnv
from mereq_algo.runner.supervision import SupervisedRound, Supervision, watch_on

from .supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained


def _run(num_envs: int = 64, env: SupervisedLinearEnv | None = None, **overrides) -> SupervisedRound:
    env = TimedEnv(env or SupervisedLinearEnv(num_envs=num_envs))
    env.reset()
    return Supervision(env, SPEC, trained(1.0), small_cfg(**overrides)).run(trained(0.0).policy, 0)


def _person(takeover_threshold: float) -> dict:
    hysteresis = {"takeover_threshold": takeover_threshold, "handback_threshold": 0.3}
    return {"rule": "action_distance", "hysteresis": hysteresis}


def test_robots_are_watchable_alone_or_staggered():
    shown = _run(num_supervised=3, max_supervised=12, num_alone=10)
    assert shown.rollout.num_supervised == 3 and shown.all_watchable.num_supervised == 12
    assert shown.alone.episodes == 10 and shown.episodes_alone.features.shape == (10, 2)
    assert shown.window.samples().shape == (5 * (64 - 12 - 10), 2)
    assert shown.env_steps == 5 * 64


def test_at_most_a_fourth_of_the_robots_can_be_watched_unless_more_are_asked_for():
    assert _run(num_envs=32, num_supervised=3).all_watchable.num_supervised == 32 // 4
    assert _run(num_envs=32, num_supervised=9).all_watchable.num_supervised == 9


def test_nobody_learns_from_robots_that_were_supervised_for_figures_only():
    """The prior is content with 0, the person wants to push by 1 and does so at every step after a takeover."""
    shown = _run(num_supervised=3, max_supervised=12, num_alone=10, person=_person(0.4))
    assert shown.all_watchable.expert_samples > shown.rollout.expert_samples > 0
    assert len(shown.transitions) == 5 and all(len(transition) == 64 - 9 for transition in shown.transitions)
    learned_from = torch.stack([transition["action"] for transition in shown.transitions])
    assert torch.equal(learned_from[:, :3], shown.rollout.transitions["action"])
    assert float(learned_from[:, 3:].mean()) == pytest.approx(0.0, abs=0.1)


def test_episodes_alone_are_whole_although_those_with_a_person_are_over_sooner():
    """A person who pushes by 1 ends an episode with the fourth push at the latest, the policy alone with none."""
    env = SupervisedLinearEnv(num_envs=64, decay=1.0, gain=1.0, bound=3.0, max_episode_length=20)
    shown = _run(env=env, num_supervised=3, max_supervised=12, num_alone=10, person=_person(0.4))
    ended = (shown.all_watchable.done & shown.all_watchable.valid).nonzero()
    assert len(ended) == 12 and int(ended[:, 0].max()) < 12
    assert shown.alone.episodes == 10 and len(shown.transitions) == 20
    assert shown.alone.num_broken == 0 and not shown.all_watchable.valid[12:].any()


@pytest.mark.parametrize(("takeover_threshold", "num_watched"), [(0.4, 3), (3.0, 12)])
def test_a_person_who_hardly_intervenes_watches_on(takeover_threshold, num_watched):
    shown = _run(num_supervised=3, max_supervised=12, person=_person(takeover_threshold))
    assert shown.rollout.num_supervised == num_watched
    assert (shown.rollout.intervention_rate <= 0.05) == (num_watched == 12)


def test_watching_on_ends_where_the_rate_rises_above_the_goal():
    """3 robots without an intervention, then 3 under control all the time: 6 are watched, not 12."""
    everything = _run(num_supervised=3, max_supervised=12, person=_person(3.0)).all_watchable
    everything.in_control[:, 3:] = True
    assert watch_on(everything, 3, 0.05, 10.0, 0.8).num_supervised == 6
    # A number that is no power of two times the first is no obstacle.
    everything.in_control[:] = False
    assert watch_on(everything, 5, 0.05, 10.0, 0.8).num_supervised == 12


@pytest.mark.parametrize(
    ("controlled", "num_watched"),
    [
        ([10], 12),  # a single short intervention in the first of all episodes may be bad luck
        ([10, 10], 2),  # another in the second is not
        ([20], 1),  # nor is a long one with nothing beside it
        ([49], 1),
        ([0, 10, 10], 12),
        ([0, 20], 12),  # beside a clean episode a long one may be bad luck, too
        ([0, 0, 20, 20], 4),
        ([0, 0, 42], 12),
        ([0, 0, 42, 42], 4),
    ],
)
def test_one_intervention_of_several_episodes_does_not_end_watching(controlled, num_watched):
    """Steps that the person controls of the 100 of each episode, where interventions last for 10 at least."""
    shape = (100, 12)
    in_control = torch.zeros(shape, dtype=torch.bool)
    for robot, num_steps in enumerate(controlled):
        in_control[:num_steps, robot] = True
    obs = torch.zeros(*shape, 1)
    transitions = TensorDict({"obs": obs, "features": obs}, batch_size=shape)
    episode = torch.zeros(shape, dtype=torch.long)
    everything = SupervisedRollout(transitions, obs, in_control, torch.zeros_like(in_control), episode)
    # Wilson's lower bounds for 100 samples an episode by the length of an intervention, and a quantile of 0.84: 4.5 %
    # for [10] and [0, 20], 5.7 % for [10, 10] and [0, 0, 20, 20], 9.1 % for [20], 2.8 % for [0, 10, 10, 0], 4.7 % for
    # [0, 0, 42, 0], 12 % for [0, 0, 42, 42].
    assert watch_on(everything, 1, 0.05, 10.0, 0.8).num_supervised == num_watched


def test_too_few_robots_are_refused():
    env = TimedEnv(SupervisedLinearEnv(num_envs=8))
    with pytest.raises(ConfigError, match="num_envs is 8 and num_supervised 8"):
        Supervision(env, SPEC, trained(1.0), small_cfg())
