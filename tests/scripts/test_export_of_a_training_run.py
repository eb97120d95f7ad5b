# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A run that is exported, or begun from, while it trains; and exports that were killed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from mereq_algo.networks import load_checkpoint
from mereq_algo.recording import policy_hash
from mereq_algo.records import RunFolder
from mereq_algo.runner import SupervisionRunner, TimedEnv
from mereq_lab.commands.export import describe_source
from mereq_lab.commands.run_inputs import keep_start
from mereq_lab.export.replace_folder import put_back, replace_folder
from mereq_lab.policies import find_policy, load_policy
from mereq_tasks.arguments import TaskUsageError

from ..mereq_algo.supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained


class Training:
    """A run whose rounds end when they are told to."""

    def __init__(self, root: Path) -> None:
        self.folder = RunFolder.create(root, "Linear", "test")
        inner = {"max_steps": 20, "min_steps": 10}
        cfg = small_cfg(max_rounds=9, num_supervised=4, inner=inner, sac={"temperature": 0.1, "learning_starts": 8})
        parts = (TimedEnv(SupervisedLinearEnv(num_envs=16)), SPEC, trained(0.0), trained(1.0), cfg, self.folder, 3)
        self.runner = SupervisionRunner(*parts)

    def run_round(self) -> None:
        self.runner._run_round(self.runner._next_round)


@pytest.fixture
def training(tmp_path) -> Training:
    training = Training(tmp_path)
    training.runner._meter.start()
    training.run_round()
    return training


def test_weights_theta_and_round_are_of_one_round(training):
    """The policy is found, the task opened, which takes a while, and then the policy is loaded."""
    source = find_policy("Linear", str(training.folder.path))
    before = policy_hash(load_checkpoint(training.folder.policy_file)[0])
    summary = training.folder.read_summary()
    training.run_round()
    assert policy_hash(load_checkpoint(training.folder.policy_file)[0]) != before

    loaded = load_policy(source, SPEC, 1, 1, "cpu")
    assert policy_hash(loaded.policy) == before
    told = describe_source(training.folder.path, loaded, [])
    assert told["theta"] == summary["theta"] != training.folder.read_summary()["theta"]
    assert (told["source"]["rounds"], told["source"]["status"]) == (1, "running")
    assert told["source"]["expert_samples"] == summary["expert_samples"]


def test_a_run_begun_from_one_that_trains_keeps_the_policy_that_it_began_from(training, tmp_path):
    source = find_policy("Linear", str(training.folder.path))
    before = policy_hash(load_checkpoint(training.folder.policy_file)[0])
    training.run_round()
    folder = RunFolder.create(tmp_path / "new", "Linear", "test")
    settings = argparse.Namespace(env_cfg=argparse.Namespace(to_dict=dict))
    keep_start(folder, {"prior": source}, settings)
    assert policy_hash(load_checkpoint(folder.prior_file)[0]) == before


def test_a_summary_that_is_older_than_the_policy_is_refused(training):
    summary = training.folder.read_summary()
    training.run_round()
    training.folder.write_summary(summary)
    source = find_policy("Linear", str(training.folder.path))
    loaded = load_policy(source, SPEC, 1, 1, "cpu")
    with pytest.raises(TaskUsageError, match="policy of round 2 and a summary of round 1") as error:
        describe_source(training.folder.path, loaded, [])
    assert "--resume" in str(error.value)


def folder_with(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "contract.json").write_text(text)
    return path


@pytest.mark.parametrize("fresh_is_there", [True, False])
def test_an_export_that_was_killed_between_its_renames_loses_nothing(tmp_path, fresh_is_there):
    target = tmp_path / "erase"
    folder_with(tmp_path / ".erase.old", "earlier")
    if fresh_is_there:
        folder_with(tmp_path / ".erase.new", "fresh")
    put_back(target)
    assert (target / "contract.json").read_text() == "earlier" and not (tmp_path / ".erase.old").exists()

    target.rename(tmp_path / ".erase.old")
    full = folder_with(tmp_path / "source", "next")
    (full / "folder").mkdir()  # what cannot be copied
    with pytest.raises(OSError, match="folder"):
        replace_folder(full, target)
    assert (target / "contract.json").read_text() == "earlier"
    (full / "folder").rmdir()
    replace_folder(full, target)
    assert (target / "contract.json").read_text() == "next"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["erase", "source"]
