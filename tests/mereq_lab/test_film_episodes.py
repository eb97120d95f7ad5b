# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What is filmed: episodes of several policies from the same starts, and who acted in them."""

from __future__ import annotations

import torch

from mereq_algo.runner import make_person
from mereq_lab.film import film_episodes

from ..mereq_algo.supervised_env import SupervisedLinearEnv, small_cfg, trained
from .film_stage import BarStage, episode


def test_policies_filmed_with_one_seed_start_in_the_same_states():
    env = SupervisedLinearEnv(num_envs=3)
    stage = BarStage(env, 3)
    lazy, eager = (film_episodes(env, stage, trained(push).policy, ("success",), 5, seed=4) for push in (0.1, 0.9))
    other = film_episodes(env, stage, trained(0.1).policy, ("success",), 5, seed=5)
    assert len(lazy) == len(eager) == 5
    for one, two in zip(lazy, eager, strict=True):
        assert torch.equal(one.snapshots[0]["state"], two.snapshots[0]["state"])
        assert one.num_steps == env.max_episode_length
        assert not torch.equal(one.snapshots[-1]["state"], two.snapshots[-1]["state"])
    assert not torch.equal(lazy[0].snapshots[0]["state"], other[0].snapshots[0]["state"])
    starts = torch.stack([filmed.snapshots[0]["state"] for filmed in lazy])
    assert len(starts.unique()) == 5, "every episode starts elsewhere, those of the second batch, too"


def test_success_is_what_the_task_says_at_the_end():
    """The metric of the analytic task is whether the state is above 0 in the end."""
    env = SupervisedLinearEnv(num_envs=4)
    filmed = film_episodes(env, BarStage(env, 4), trained(0.0).policy, ("success",), 4, seed=1)
    for one in filmed:
        # One step after the last snapshot, so only clear cases are told.
        if abs(float(one.snapshots[-1]["state"])) > 0.3:
            assert one.success == (float(one.snapshots[-1]["state"]) > 0.0)


def test_takeovers_are_filmed_and_counted():
    env = SupervisedLinearEnv(num_envs=2)
    person = make_person(small_cfg().person, trained(0.9), 2, seed=0, device="cpu")
    filmed = film_episodes(env, BarStage(env, 2), trained(-0.9).policy, ("success",), 2, seed=0, person=person)
    assert all(one.in_control.any() and one.num_takeovers >= 1 for one in filmed)
    alone = film_episodes(env, BarStage(env, 2), trained(-0.9).policy, ("success",), 2, seed=0)
    assert not any(one.in_control.any() for one in alone)


def test_a_takeover_is_a_change_of_hands():
    filmed = episode(8, in_control=[0, 1, 4, 5, 7])
    assert filmed.num_takeovers == 3
    assert [filmed.takeovers_until(step) for step in range(9)] == [0, 1, 1, 1, 1, 2, 2, 2, 3]
