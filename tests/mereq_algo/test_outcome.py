# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A run says that it has learned where its policy is another than before, and nowhere else."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from mereq_algo.methods import CLONING, METHODS
from mereq_algo.networks import CheckpointError, NotFiniteError, load_checkpoint, save_checkpoint
from mereq_algo.recording import RecordedEpisode, find_recordings, policy_hash, read_episodes
from mereq_algo.records import RunFolder
from mereq_algo.runner import RecordedRunner, SupervisionRunner, TimedEnv

from .supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained

SHORT = {"max_steps": 20, "min_steps": 10}


def parts(root: Path, **overrides) -> tuple:
    env = TimedEnv(SupervisedLinearEnv(num_envs=32))
    folder = RunFolder.create(root, "Linear", "test")
    values = {"inner": SHORT, "cloning": {"updates_per_round": 20}, **overrides}
    return env, SPEC, trained(0.0), trained(1.0), small_cfg(**values), folder, 3


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> list[RecordedEpisode]:
    """Recorded episodes of the prior, in some of whose steps the person acts."""
    runner = SupervisionRunner(*parts(tmp_path_factory.mktemp("watched"), max_rounds=1))
    runner.learn()
    return [episode for file in find_recordings([runner.folder.recordings]) for episode in read_episodes(file)]


def untouched(episode: RecordedEpisode) -> RecordedEpisode:
    return dataclasses.replace(episode, in_control=torch.zeros_like(episode.in_control))


def with_bad_steps(episode: RecordedEpisode, all_of_them: bool) -> RecordedEpisode:
    """The person's actions are NaN, in all of their steps or in the first."""
    transitions = episode.transitions.clone()
    steps = episode.in_control.nonzero().flatten()
    transitions["action"][steps if all_of_them else steps[:1]] = math.nan
    return dataclasses.replace(episode, transitions=transitions)


@pytest.mark.parametrize("method", METHODS)
def test_recordings_without_an_intervention(method, watched, tmp_path):
    runner = RecordedRunner([untouched(episode) for episode in watched], *parts(tmp_path, method=method))
    record = runner.learn()
    before, after = policy_hash(trained(0.0).policy), policy_hash(runner.policy)
    if method in CLONING:
        assert record.status == "nothing_learned" and after == before
    elif method.startswith("mereq"):
        assert record.status == "content" and after == before
    else:  # a whole reward is inferred from what was let pass, too
        assert record.status == "learned" and after != before
    assert ("the person never took over" in record.outcome) == (record.status != "learned")
    assert runner.folder.read_summary()["outcome"] == record.outcome


@pytest.mark.parametrize("method", METHODS)
def test_one_action_that_is_not_a_number_is_left_out(method, watched, tmp_path):
    episodes = [with_bad_steps(episode, all_of_them=False) for episode in watched]
    runner = RecordedRunner(episodes, *parts(tmp_path, method=method))
    record = runner.learn()
    assert record.status == "learned" and record.num_rejected > 0
    policy, critic, _ = load_checkpoint(runner.folder.policy_file)
    for network in (policy, critic):
        assert all(bool(weights.isfinite().all()) for weights in network.state_dict().values())


@pytest.mark.parametrize("method", [name for name in METHODS if not name.startswith("maxent")])
def test_where_all_of_the_persons_steps_are_left_out_nothing_is_learned(method, watched, tmp_path):
    episodes = [with_bad_steps(episode, all_of_them=True) for episode in watched]
    runner = RecordedRunner(episodes, *parts(tmp_path, method=method))
    record = runner.learn()
    assert record.status == "nothing_learned"
    assert "nothing was learned" in record.outcome and "dropped because a number was not finite" in record.outcome
    assert policy_hash(runner.policy) == policy_hash(trained(0.0).policy)


def test_a_run_without_an_update_has_learned_nothing(tmp_path):
    """The replay buffer never gets as far as the learner needs."""
    settings = {"sac": {"learning_starts": 10**9}, "max_rounds": 2}
    runner = SupervisionRunner(*parts(tmp_path, **settings))
    record = runner.learn()
    assert (record.status, record.rounds_tried, record.rounds_learned) == ("nothing_learned", 1, 0)
    assert "no update was made" in record.outcome
    assert policy_hash(runner.policy) == policy_hash(trained(0.0).policy)


def test_a_run_of_one_round_says_that_nobody_would_have_seen_what_it_learned(tmp_path):
    record = SupervisionRunner(*parts(tmp_path, max_rounds=1)).learn()
    assert record.status == "budget_spent" and "nobody would have watched" in record.outcome


def test_a_policy_with_a_number_that_is_not_finite_is_never_written(tmp_path):
    policy = trained(0.0)
    file = tmp_path / "policy.safetensors"
    save_checkpoint(file, policy.policy, policy.critic, policy.info)
    before = file.read_bytes()
    with torch.no_grad():
        policy.critic.mlps[1][0].weight[0, 0] = math.inf
    with pytest.raises(NotFiniteError, match=r"diverged: 1 of 32 numbers of critic\.mlps\.1\.0\.weight are not finite"):
        save_checkpoint(file, policy.policy, policy.critic, policy.info)
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


def test_a_policy_file_with_a_number_that_is_not_finite_is_refused(tmp_path, monkeypatch):
    policy = trained(0.0)
    with torch.no_grad():
        policy.policy.mlp[-1].bias[0] = math.nan
    monkeypatch.setattr("mereq_algo.networks.checkpoint.check_finite", lambda state, file: None)  # of another program
    save_checkpoint(tmp_path / "policy.safetensors", policy.policy, policy.critic, policy.info)
    with pytest.raises(CheckpointError, match=r"not finite \(policy\.mlp\.0\.bias\)"):
        load_checkpoint(tmp_path / "policy.safetensors")


@pytest.mark.parametrize("method", ["mereq", "maxent_ft"])
def test_a_run_that_diverges_ends_in_one_line_and_keeps_its_last_round(method, tmp_path):
    """A step size that no network survives, from the second round on."""
    runner = SupervisionRunner(*parts(tmp_path, method=method, max_rounds=4))
    align = runner.learner.align
    calls: list[int] = []

    def diverge(window, on_progress):
        progress = align(window, on_progress)
        calls.append(len(calls))
        if len(calls) == 2:
            with torch.no_grad():
                for weights in runner.learner.policy.parameters():
                    weights.mul_(math.inf)
        return progress

    runner.learner.align = diverge
    with pytest.raises(NotFiniteError, match="training diverged"):
        runner.learn()
    summary = runner.folder.read_summary()
    assert (summary["status"], summary["rounds"]) == ("failed", 1)
    assert runner.folder.read_state()["next_round"] == 1
    load_checkpoint(runner.folder.policy_file)


def test_a_finished_run_goes_on_with_more_rounds_and_first_learns_from_its_last(tmp_path):
    first = SupervisionRunner(*parts(tmp_path / "a", max_rounds=2))
    record = first.learn()
    assert (record.rounds, record.rounds_tried) == (2, 1), "its last round is not learned from"

    more = SupervisionRunner(*parts(tmp_path / "b", max_rounds=4))
    more.folder = first.folder
    more.resume()
    longer = more.learn()
    assert longer.rounds == 4 and longer.rounds_tried == 3
    assert longer.intervention_rate[:2] == record.intervention_rate
    assert longer.expert_samples[:2] == record.expert_samples
