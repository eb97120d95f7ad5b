# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The outer loop, on an analytic task."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mereq_algo.atomic_write import WriteError
from mereq_algo.networks import NotFiniteError, check_finite, load_checkpoint
from mereq_algo.recording import policy_hash
from mereq_algo.records import TIMES, RunFolder, RunFolderError, RunRecord, TaskError, TaskSpec
from mereq_algo.runner import ConfigError, SupervisionRunner, TimedEnv
from mereq_algo.storage import BrokenPhysicsError

from .supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained


class InterruptIn:
    """A listener that presses Ctrl-C in the middle of learning in one round, or asks for the end in another way."""

    def __init__(self, num_rounds: int, end: BaseException | None = None) -> None:
        self.num_rounds = num_rounds
        self.end = end or KeyboardInterrupt()

    def update(self, record, phase, inner) -> None:
        if phase == "learning" and record.rounds == self.num_rounds:
            raise self.end


def _build(root: Path, listeners=(), seed: int = 3, num_envs: int = 32, spec: TaskSpec = SPEC, **overrides):
    env = TimedEnv(SupervisedLinearEnv(num_envs=num_envs))
    folder = RunFolder.create(root, "Linear", "test")
    cfg = small_cfg(**overrides)
    return SupervisionRunner(env, spec, trained(0.0), trained(1.0), cfg, folder, seed, listeners)


def _figures(folder: RunFolder) -> dict:
    return {name: value for name, value in folder.read_summary().items() if name not in TIMES}


def test_the_policy_moves_towards_the_person_and_is_left_alone_more(tmp_path):
    runner = _build(tmp_path, max_rounds=4, evaluation_episodes=200)
    record = runner.learn()

    assert record.intervention_rate[0] > 0.3
    assert record.intervention_rate[-1] < record.intervention_rate[0]
    # The person pushes by 1, the prior by 0; pushing costs under the prior, so its residual weight must be positive.
    assert record.theta["push"] > 0.0
    # tanh(1) = 0.76 is the person's mean action, 0 the prior's.
    with torch.no_grad():
        assert float(runner.policy(torch.zeros(1, 1))) > 0.3
    assert record.expert_return_gap_closed is not None and record.expert_return_gap_closed > 0.5
    assert record.expert_samples == sorted(record.expert_samples)


def test_one_seed_gives_one_result(tmp_path):
    figures = []
    for name in ("a", "b"):
        runner = _build(tmp_path / name)
        runner.learn()
        figures.append(_figures(runner.folder))
    assert figures[0] == figures[1]


@pytest.mark.parametrize(("interrupted_round", "guided_share"), [(1, 0.0), (2, 0.0), (2, 0.25)])
def test_a_resumed_run_equals_one_that_was_never_interrupted(tmp_path, interrupted_round, guided_share):
    inner = {"max_steps": 60, "min_steps": 20, "guided_share": guided_share}
    whole = _build(tmp_path / "whole", inner=inner)
    whole.learn()

    interrupted = _build(tmp_path / "part", listeners=[InterruptIn(interrupted_round)], inner=inner)
    with pytest.raises(KeyboardInterrupt):
        interrupted.learn()
    assert interrupted.folder.read_summary()["status"] == "interrupted"

    # Where no round was completed, it begins anew: it is a run folder all the same.
    resumed = _build(tmp_path / "other", inner=inner)
    resumed.folder = RunFolder.open(interrupted.folder.path, "Linear")
    resumed.resume()
    resumed.learn()
    assert _figures(resumed.folder) == _figures(whole.folder)


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(143)], ids=["Ctrl-C", "asked to end"])
def test_an_interrupted_run_is_whole(tmp_path, end):
    runner = _build(tmp_path, listeners=[InterruptIn(2, end)])
    with pytest.raises(type(end)):
        runner.learn()

    summary = json.loads(runner.folder.summary_file.read_text())
    assert summary["status"] == "interrupted"
    # The second round's supervised rollout had been judged, but the round is not complete: it does not count.
    assert summary["rounds"] == 1
    load_checkpoint(runner.folder.policy_file, num_obs=1, num_actions=1, feature_names=["state", "push"])
    assert not list(runner.folder.path.rglob(".*")), "no half-written files"


@pytest.fixture
def asked_to_end() -> Iterator[None]:
    """SIGTERM ends a program as scripts let it."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_end_while_a_round_is_written_waits_for_all_of_its_files(
    tmp_path, monkeypatch, asked_to_end, number
):
    before = signal.getsignal(number)
    runner = _build(tmp_path)
    write_state = runner.folder.write_state

    def write_and_interrupt(state):
        write_state(state)
        signal.raise_signal(number)

    monkeypatch.setattr(runner.folder, "write_state", write_and_interrupt)
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit):
        runner.learn()
    summary = runner.folder.read_summary()
    assert (summary["status"], summary["rounds"]) == ("interrupted", 1)
    assert runner.folder.policy_file.is_file() and runner.folder.read_state()["next_round"] == 1
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("writer", ["_save_policy", "_write_summary"])
def test_a_run_that_ended_between_two_files_of_its_last_round_ends_with_the_policy_of_its_state(
    tmp_path, monkeypatch, writer
):
    """As a live run, it learns in its last round: what goes to the arm is what was learned there."""
    monkeypatch.setattr(SupervisionRunner, "_learns_from", lambda self, index: True)
    whole = _build(tmp_path / "whole", max_rounds=2)
    whole.learn()
    cut = _build(tmp_path / "cut", max_rounds=2)
    write = getattr(cut, writer)

    def fails_in_the_last_round(*arguments):
        if cut._next_round == 2 and cut.record.status == "running":
            raise WriteError("the disk is full")
        write(*arguments)

    monkeypatch.setattr(cut, writer, fails_in_the_last_round)
    with pytest.raises(WriteError):
        cut.learn()
    assert cut.folder.read_summary("rounds")["rounds"] == 1 and cut.folder.read_state()["next_round"] == 2

    resumed = _build(tmp_path / "other", max_rounds=2)
    resumed.folder = cut.folder
    resumed.resume()
    record = resumed.learn()
    policy, _, info = load_checkpoint(cut.folder.policy_file)
    assert policy_hash(policy) == policy_hash(whole.policy)
    assert (info.extra["round"], info.extra["theta"]) == (2, record.theta) and record.theta == whole.record.theta


def test_a_run_that_ended_before_its_first_policy_was_written_has_one_after_it_went_on(tmp_path, monkeypatch):
    runner = _build(tmp_path, max_rounds=1)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "_save_policy", lambda file: (_ for _ in ()).throw(WriteError("the disk is full")))
        with pytest.raises(WriteError):
            runner.learn()
    assert not runner.folder.policy_file.exists()
    resumed = _build(tmp_path / "other", max_rounds=1)
    resumed.folder = runner.folder
    resumed.resume()
    resumed.learn()
    assert policy_hash(load_checkpoint(runner.folder.policy_file)[0]) == policy_hash(resumed.policy)


def test_no_state_has_a_number_that_is_not_finite_but_in_its_record(tmp_path):
    """The last round is not learned from: the state keeps its features, a broken robot's excepted."""
    runner = _build(tmp_path, max_rounds=1)
    groups = runner.env.env._groups

    def one_is_broken():
        values = groups()
        values["features"][20] = torch.nan  # supervised are the first 8
        return values

    runner.env.env._groups = one_is_broken
    runner.learn()
    state = runner.folder.read_state()
    assert state["window"]["steps"] and state["record"]["status"]
    check_finite({name: part for name, part in state.items() if name != "record"})
    runner.folder.write_state(state)
    with pytest.raises(NotFiniteError, match="of window"):
        runner.folder.write_state({**state, "window": {"steps": [torch.full((2, 2), torch.nan)]}})


def test_a_content_person_ends_the_run_at_once(tmp_path):
    runner = _build(
        tmp_path,
        person={"rule": "action_distance", "hysteresis": {"takeover_threshold": 3.0, "handback_threshold": 3.0}},
        episodes_per_robot=40,  # 8 * 40 * 5 = 1,600 steps: enough to be sure without a single intervention
    )
    record = runner.learn()
    assert record.converged and record.status == "converged" and record.rounds == 1
    assert record.intervention_rate == [0.0] and 0.0 < record.intervention_rate_upper[0] < 0.05


def test_length_of_an_intervention_is_that_of_the_last_two_rounds():
    record = RunRecord("Linear", "mereq", 0, "cpu", 32, 0.05, ["state", "push"])
    assert record.intervention_length() == 0.0
    record.expert_samples, record.num_takeovers = [90], [3]
    assert record.intervention_length() == 90 / 3
    # 500, 270 and 0 steps in 5, 9 and 0 interventions.
    record.expert_samples, record.num_takeovers = [500, 770, 770], [5, 9, 0]
    assert record.intervention_length() == 270 / 9


def test_a_lucky_round_does_not_end_a_run_of_long_interventions(tmp_path):
    """Without any intervention the bound is wider the longer those of the round before were."""
    uppers = []
    for length in (0, 40):
        runner = _build(
            tmp_path / str(length),
            person={"rule": "action_distance", "hysteresis": {"takeover_threshold": 3.0, "handback_threshold": 3.0}},
            episodes_per_robot=40,
        )
        runner.env.reset()
        runner._start = 0.0
        if length:
            runner.record.num_takeovers, runner.record.expert_samples = [8], [8 * length]
        runner._judge(runner.supervision.run(runner.policy, 0).rollout)
        assert runner.record.num_takeovers[-1] == 0
        uppers += runner.record.intervention_rate_upper
    assert uppers[1] > 2.0 * uppers[0]


def test_physics_that_broke_everywhere_ends_the_run_with_one_line(tmp_path):
    """In the first round, whose features scale θ, and in a later one."""
    for num_rounds in (1, 2):
        runner = _build(tmp_path / str(num_rounds))
        env = runner.env.env
        groups = env._groups

        def broken(groups=groups, runner=runner, num_rounds=num_rounds):
            values = groups()
            if runner.record.rounds >= num_rounds - 1:
                values["features"] = torch.full_like(values["features"], torch.nan)
            return values

        env._groups = broken
        with pytest.raises(BrokenPhysicsError, match="physics broke"):
            runner.learn()
        assert runner.folder.read_summary()["status"] == "failed"


def test_raw_rate_is_that_of_steps_without_learning(tmp_path):
    record = _build(tmp_path, max_rounds=2).learn()
    # The second of two supervised rollouts, one episode of 5 steps of 32 robots: the first also loads kernels.
    assert record.raw_env_steps == 5 * 32 < record.env_steps
    assert 0.0 < record.raw_sim_time_s < record.sim_time_s
    assert record.simulation_share == pytest.approx(record.env_steps_per_s / record.raw_env_steps_per_s)


def test_a_run_ends_with_the_round_that_spends_the_expert_samples(tmp_path):
    record = _build(tmp_path, max_rounds=3, max_expert_samples=1).learn()
    assert record.status == "budget_spent" and record.rounds == 1 and record.expert_samples[0] > 1
    assert record.theta_history == []  # nobody would have watched what it learned


def test_all_are_compared_on_the_same_episodes_whatever_the_method_and_the_number_of_rounds(tmp_path):
    settings = [{"max_rounds": 1}, {"max_rounds": 2}, {"max_rounds": 1, "method": "hg_dagger_ft"}]
    found = [_build(tmp_path / str(number), **some).learn().evaluation for number, some in enumerate(settings)]
    for policy in ("prior", "expert"):
        assert found[0][policy] == found[1][policy] == found[2][policy]
    assert found[0]["aligned"] != found[1]["aligned"], "the second has learned something"


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"max_rounds": 0}, "max_rounds is 0"),
        ({"max_expert_samples": 0}, "max_expert_samples is 0"),
        ({"num_supervised": 0}, "num_supervised is 0"),
        ({"evaluation_episodes": 1}, "evaluation_episodes must be at least 2"),
        ({"intervention_threshold": 0.0}, "intervention_threshold is 0.0"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"watch_on_confidence": 0.5}, "watch_on_confidence is 0.5"),
        ({"inner": {"theta_interval": 0}}, "theta_interval is 0"),
        ({"inner": {"window": 0}}, "window is 0"),
        ({"inner": {"average_steps": 0}}, "average_steps is 0"),
        ({"inner": {"final_rate": 0.0}}, "final_rate is 0.0"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(overrides, told):
    with pytest.raises(ConfigError, match=told):
        small_cfg(**overrides)


def test_the_summary_has_what_other_tools_read(tmp_path):
    runner = _build(tmp_path)
    runner.learn()
    summary = runner.folder.read_summary()
    promised = {
        "task",
        "method",
        "seed",
        "device",
        "num_envs",
        "status",
        "rounds",
        "intervention_rate",
        "expert_samples",
        "threshold",
        "converged",
        "theta",
        "feature_expectation",
        "expert_return_gap_closed",
        "success_rate",
        "wall_time_s",
        "sim_time_s",
        "env_steps",
        "env_steps_per_s",
    }
    assert promised <= set(summary)
    assert set(summary["feature_expectation"]) == {"target", "learner", "prior"}
    assert len(summary["expert_samples"]) == len(summary["intervention_rate"]) == summary["rounds"] == 3


def test_a_state_of_another_run_is_refused(tmp_path):
    runner = _build(tmp_path / "a")
    runner.learn()
    other = _build(tmp_path / "b", seed=4)
    other.folder = runner.folder
    with pytest.raises(ConfigError, match="seed 3, not 4"):
        other.resume()


def test_an_unknown_rule_is_refused():
    with pytest.raises(ConfigError, match=r"unknown person\.rule 'advantage'; choose advantage_gap"):
        small_cfg(person={"rule": "advantage"})


@pytest.mark.parametrize(
    ("names", "message"),
    [(("push", "push"), "'push' stands twice"), (("push",), "2 wide but has 1 names")],
)
def test_features_that_do_not_fit_are_refused(tmp_path, names, message):
    spec = TaskSpec("Linear", ("state",), names, ("success",), torch.zeros(len(names)))
    with pytest.raises(TaskError, match=message):
        _build(tmp_path, spec=spec)


def test_a_run_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="cannot be written"):
        RunFolder.create(tmp_path / "file", "Linear", "test")


def test_a_damaged_state_is_refused(tmp_path):
    runner = _build(tmp_path)
    runner.learn()
    runner.folder.state_file.write_bytes(b"not a state")
    with pytest.raises(RunFolderError, match="damaged"):
        runner.resume()
