# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a few supervised episodes owe to how they happened to start."""

from __future__ import annotations

import pytest
import torch
from tensordict import TensorDict

from mereq_algo.intervention import SupervisedRollout
from mereq_algo.irl import EpisodeMeans, StartEffect, TargetFeatures, TargetFeaturesCfg
from mereq_algo.runner import ConfigError, MEReQCfg, TimedEnv
from mereq_algo.runner.supervision import Supervision

from .supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained

SLOPE = torch.tensor([0.5, 0.0])
"""Of the mean features in their first values."""


def starts(num: int, generator: torch.Generator, nearer: float = 0.0) -> torch.Tensor:
    return torch.randn(num, 2, generator=generator) - nearer


def rollout(start: torch.Tensor, noise: float, generator: torch.Generator) -> SupervisedRollout:
    """One episode of two steps for each start, whose features follow from it, but for the first ones.

    Mean features are (1, 2) plus what the start adds.
    """
    num = len(start)
    mean = torch.tensor([1.0, 2.0]) + start * SLOPE + noise * torch.randn(num, 2, generator=generator)
    features = torch.stack((start, 2.0 * mean - start))
    transitions = TensorDict({"obs": features, "features": features}, batch_size=[2, num])
    nothing = torch.zeros(2, num, dtype=torch.bool)
    return SupervisedRollout(transitions, torch.zeros(2, num, 1), nothing, nothing, nothing.long())


def effect(generator: torch.Generator) -> StartEffect:
    """From 100 episodes, of which 10 went another way altogether."""
    start = starts(100, generator)
    mean = torch.tensor([1.0, 2.0]) + start * SLOPE
    mean[:10] += 5.0 * start[:10].abs()
    return StartEffect.fit(EpisodeMeans(start, mean), starts(4000, generator))


def target(data: SupervisedRollout, of_starts: StartEffect | None) -> TargetFeatures:
    gathered = TargetFeatures(2, TargetFeaturesCfg())
    gathered.add_round(data, of_starts)
    return gathered


def test_what_starts_add_to_the_features_is_taken_off():
    """Five episodes start 0.8 nearer than others do: that is 0.4 of the first feature."""
    generator = torch.Generator().manual_seed(0)
    of_starts = effect(generator)
    plain, adjusted = [], []
    for _ in range(100):
        data = rollout(starts(5, generator, nearer=0.8), 0.05, generator)
        plain.append(target(data, None).value())
        adjusted.append(target(data, of_starts).value())
    torch.testing.assert_close(torch.stack(plain).mean(dim=0), torch.tensor([0.6, 2.0]), atol=0.08, rtol=0.0)
    torch.testing.assert_close(torch.stack(adjusted).mean(dim=0), torch.tensor([1.0, 2.0]), atol=0.05, rtol=0.0)


def test_the_standard_error_is_that_of_what_is_left():
    generator = torch.Generator().manual_seed(1)
    of_starts = effect(generator)
    values, errors = [], []
    for _ in range(200):
        found = target(rollout(starts(10, generator), 0.1, generator), of_starts)
        values.append(found.value())
        errors.append(found.standard_error())
    spread = torch.stack(values).std(dim=0)
    assert (spread < 0.05).all(), "of the first feature it is 0.16 without adjustment"
    torch.testing.assert_close(torch.stack(errors).mean(dim=0), spread, rtol=0.15, atol=0.0)


def test_a_start_that_says_nothing_changes_nothing():
    """Neither one that is always the same nor one that is not finite."""
    generator = torch.Generator().manual_seed(2)
    start, mean = starts(50, generator), torch.randn(50, 2, generator=generator)
    start[:, 0] = 0.3
    mean[:, 1] = 1.0
    start[7] = torch.nan
    of_starts = StartEffect.fit(EpisodeMeans(start, mean), start)
    assert of_starts.of(starts(5, generator)).abs().max() == 0.0


def test_every_episode_is_adjusted_for_its_own_start():
    """Robots have two episodes each; the second ones' starts are told from the first ones'."""
    features = torch.arange(8.0).reshape(4, 2, 1)
    episode = torch.tensor([[0, 0], [1, 0], [1, 1], [1, 1]])
    transitions = TensorDict({"obs": features, "features": features}, batch_size=[4, 2])
    nothing = torch.zeros(4, 2, dtype=torch.bool)
    data = SupervisedRollout(transitions, features, nothing, nothing, episode)
    names = data.episode_names().unique()
    assert data.first_transitions(names)["obs"].flatten().tolist() == [0.0, 1.0, 2.0, 5.0]
    episodes = EpisodeMeans.of(data)
    assert episodes.starts.flatten().tolist() == [0.0, 1.0, 2.0, 5.0]
    assert episodes.features.flatten().tolist() == [0.0, (1.0 + 3.0) / 2, (2.0 + 4.0 + 6.0) / 3, (5.0 + 7.0) / 2]


def test_a_round_adjusts_for_starts_and_the_baseline_without_pseudo_experts_does_not():
    from mereq_algo.runner import build_learner

    found = {}
    for method, adjust in (("mereq", True), ("mereq", False), ("mereq_np", True), ("mereq_np", False)):
        cfg = small_cfg(method=method, target={"adjust_for_starts": adjust}, num_supervised=3)
        env = TimedEnv(SupervisedLinearEnv(num_envs=64))
        torch.manual_seed(0)
        env.reset()
        shown = Supervision(env, SPEC, trained(1.0), cfg).run(trained(0.0).policy, 0)
        learner = build_learner(cfg, env, trained(0.0), SPEC.feature_names, seed=0)
        learner.observe(shown.rollout, shown.transitions, shown.episodes_alone)
        found[method, adjust] = learner.target_features
    assert not torch.equal(found["mereq", True], found["mereq", False])
    assert torch.equal(found["mereq_np", True], found["mereq_np", False])


def test_the_setting_needs_pseudo_experts():
    with pytest.raises(ConfigError, match="adjust_for_starts needs pseudo_expert"):
        MEReQCfg.from_dict({"target": {"adjust_for_starts": True, "pseudo_expert": False}})
