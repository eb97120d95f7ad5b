# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What counts as an episode: two robots, one whose episodes are over after two steps, one after four."""

from __future__ import annotations

import pytest
import torch
from tensordict import TensorDict

from mereq_algo.records.evaluation_table import NUM_BINS
from mereq_algo.runner import TimedEnv, evaluate
from mereq_algo.runner.evaluation import EpisodeRecorder

from .supervised_env import SPEC, SupervisedLinearEnv, trained

SUCCESS = SPEC.metric_names.index("success")


def record(num_episodes: int, broken: bool | None = None, long: int = 1) -> EpisodeRecorder:
    """Four steps with a reward of 1; the short episodes are terminated without success, the long one is timed out."""
    recorder = EpisodeRecorder(SPEC, 2, "cpu", num_episodes)
    is_long = torch.arange(2) == long
    for step in range(1, 5):
        done = torch.where(is_long, torch.tensor(step == 4), torch.tensor(step % 2 == 0))
        transition = TensorDict(
            {
                "base_reward": torch.ones(2),
                "features": torch.full((2, len(SPEC.feature_names)), float(step)),
                "terminated": done & ~is_long,
            },
            batch_size=[2],
        )
        metrics = torch.zeros(2, len(SPEC.metric_names))
        metrics[long, SUCCESS] = 1.0
        extras = {"final_obs": {"metrics": metrics}}
        if broken is not None:
            extras["broken"] = done & ~is_long & broken
        recorder.add(transition, done, extras, slice(0, 2))
    return recorder


@pytest.mark.parametrize(("num_episodes", "mean_return", "success"), [(2, 3.0, 1 / 2), (4, 8 / 3, 1 / 3)])
def test_a_robot_has_as_many_episodes_as_any_other(num_episodes, mean_return, success):
    """(2 + 4) / 2, and with a second short episode (2 + 2 + 4) / 3."""
    result = record(num_episodes).result()
    assert result.return_prior_reward.mean == pytest.approx(mean_return)
    assert result.success_rate.mean == pytest.approx(success)


@pytest.mark.parametrize("long", [0, 1])
def test_of_more_robots_than_episodes_those_that_end_first_are_not_preferred(long):
    result = record(1, long=long).result()
    assert result.episodes == 1
    assert result.success_rate.mean == (1.0 if long == 0 else 0.0), "the first robot's, however long it takes"


def test_an_episode_that_the_task_ends_counts_and_one_that_broken_physics_ends_does_not():
    assert record(2, broken=False).result().episodes == 2
    only_whole = record(2, broken=True).result()
    assert (only_whole.episodes, only_whole.num_broken) == (1, 1)
    assert only_whole.return_prior_reward.mean == pytest.approx(4.0)


def test_the_start_of_an_episode_is_its_own():
    """The short ones start with steps 1 and 3, the long one with step 1."""
    assert record(4).episode_means().starts[:, 0].tolist() == [1.0, 3.0, 1.0]


def test_histograms_count_the_steps_of_whole_episodes_by_feature():
    """Bins are shares of a feature's full scale; what is beyond counts as its end."""
    names = SPEC.feature_names
    recorder = EpisodeRecorder(SPEC, 1, "cpu", 1)
    # The first feature goes up by half a bin a step, the second is low but for the last step; then another episode.
    steps = [(0.5 / NUM_BINS, -0.3), (1.0 / NUM_BINS, 0.0), (1.5 / NUM_BINS, 1.7), (0.99, 0.5)]
    for number, (first, second) in enumerate(steps):
        features = torch.zeros(1, len(names))
        features[0, 0], features[0, 1] = first, second
        transition = TensorDict({"base_reward": torch.ones(1), "features": features}, batch_size=[1])
        extras = {"final_obs": {"metrics": torch.zeros(1, len(SPEC.metric_names))}}
        recorder.add(transition, torch.tensor([number == 2]), extras, slice(0, 1))
    found = recorder.result().histograms
    assert all(len(found[name]) == NUM_BINS and sum(found[name]) == 3 for name in names)
    assert found[names[0]][:2] == [1, 2]
    assert found[names[1]][0] == 2 and found[names[1]][-1] == 1


@pytest.mark.parametrize(("seed", "actions"), [(None, "mean"), (0, "sampled")])
def test_figures_say_which_actions_they_are_of(seed, actions):
    env = TimedEnv(SupervisedLinearEnv(num_envs=4))
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    (result,) = evaluate(env, {"prior": trained(0.0).policy}, SPEC, 4, generator).values()
    assert result.as_dict()["actions"] == actions
