# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Jobs of a benchmark: which are finished, which go on, and what is done with those that fail."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from mereq_algo.records import FINISHED
from mereq_lab.benchmark import ABLATIONS, Job, JobError, finished_runs, run_jobs
from mereq_lab.benchmark.jobs import FOUND_SETTINGS, OWN_SETTINGS

PROGRAM = """
import json, pathlib, sys
arguments = dict(zip(sys.argv[1:-1:2], sys.argv[2::2]))
if arguments["--seed"] == "13":
    sys.exit(1)
folder = pathlib.Path(arguments["--logs"]) / arguments["--task"] / ("date_" + arguments["--name"])
folder.mkdir(parents=True, exist_ok="--resume" in sys.argv)
command = " ".join(["./isaaclab.sh", "-p", *sys.argv])
(folder / "summary.json").write_text(json.dumps({"status": "converged", "command": command}))
"""


@pytest.fixture
def program(tmp_path) -> list[str]:
    """Stands in for train_mereq.py: leaves a finished run that says how it was called."""
    script = tmp_path / "train.py"
    script.write_text(PROGRAM)
    return [sys.executable, str(script)]


def test_finished_runs_are_not_run_again(tmp_path, program):
    jobs = [Job("T", "mereq", seed) for seed in range(3)]
    done = []
    run_jobs(jobs[:2], program, tmp_path / "runs", num_at_once=2, on_done=done.append)
    assert sorted(done, key=lambda job: job.seed) == jobs[:2]
    run_jobs(jobs, program, tmp_path / "runs", on_done=done.append)
    assert done[2:] == [jobs[2]]
    _, found = jobs[2].find(tmp_path / "runs")
    assert "agent.method=mereq" in found["command"] and "--resume" not in found["command"]


def test_interrupted_run_goes_on(tmp_path, program):
    job = Job("T", "maxent", 0)
    folder = tmp_path / "runs" / "T" / f"date_{job.name}"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "state.pt").touch()
    (folder / "summary.json").write_text(json.dumps({"status": "interrupted", "command": "train"}))
    assert not job.is_finished(tmp_path / "runs")
    run_jobs([job], program, tmp_path / "runs")
    arguments = job.find(tmp_path / "runs")[1]["command"].split()
    assert arguments[arguments.index("--resume") + 1] == str(folder)


def test_a_run_that_failed_before_its_first_round_hides_no_other(tmp_path, program):
    """The oldest folder is a dead one, without a state to go on from."""
    job = Job("T", "maxent", 0)
    dead = tmp_path / "runs" / "T" / f"a_{job.name}"
    dead.mkdir(parents=True)
    (dead / "summary.json").write_text(json.dumps({"status": "failed", "command": "train"}))
    assert not job.is_finished(tmp_path / "runs") and "--resume" not in job.command(program, tmp_path / "runs")
    run_jobs([job], program, tmp_path / "runs")
    assert job.is_finished(tmp_path / "runs")
    folder, _ = job.find(tmp_path / "runs")
    assert folder != dead


SLEEPING = """
import pathlib, sys, time
(pathlib.Path(sys.argv[sys.argv.index("--logs") + 1]) / f"pid_{sys.argv[sys.argv.index('--seed') + 1]}").touch()
time.sleep(60)
"""


def test_ctrl_c_ends_all_runs_and_begins_no_other(tmp_path):
    script = tmp_path / "sleep.py"
    script.write_text(SLEEPING)
    runs = tmp_path / "runs"
    code = (
        "import sys, pathlib; from mereq_lab.benchmark import Job, run_jobs;"
        f"run_jobs([Job('T', 'mereq', seed) for seed in range(4)], [sys.executable, {str(script)!r}],"
        f" pathlib.Path({str(runs)!r}), num_at_once=2)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 240.0  # two more interpreters start, on a machine that may be busy
    while len(list(runs.glob("pid_*"))) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert time.monotonic() - started < 20.0
    assert len(list(runs.glob("pid_*"))) == 2


def test_the_search_of_one_task_changes_no_other(tmp_path, program):
    found = {task: Job(task, "maxent_ft", 0).command(program, tmp_path) for task in ("Franka-Erase", "T")}
    assert found["Franka-Erase"][-1] == "agent.irl.learning_rate=0.02" and found["T"][-1] == "agent.method=maxent_ft"


def test_what_a_search_tries_is_said_once_whatever_it_found(tmp_path, program, monkeypatch):
    tried = Job("Franka-Erase", "maxent_ft", 0, ("agent.irl.learning_rate=0.005",))
    command = tried.command(program, tmp_path)
    assert [word for word in command if word.startswith("agent.irl.")] == ["agent.irl.learning_rate=0.005"]
    run_jobs([tried], program, tmp_path)
    monkeypatch.setitem(FOUND_SETTINGS, ("Franka-Erase", "maxent_ft"), ("agent.irl.learning_rate=0.005",))
    assert tried.is_finished(tmp_path)


def test_ablations_have_what_the_search_found_for_mereq(tmp_path, program, monkeypatch):
    monkeypatch.setitem(FOUND_SETTINGS, ("T", "mereq"), ("agent.irl.learning_rate=0.07",))
    for ablation in ABLATIONS:
        assert "agent.irl.learning_rate=0.07" in Job("T", ablation, 0).command(program, tmp_path)


def test_failed_run_is_named_and_does_not_stop_the_others(tmp_path, program):
    jobs, done = [Job("T", "mereq", seed) for seed in (13, 1)], []
    with pytest.raises(JobError, match="T mereq_seed13"):
        run_jobs(jobs, program, tmp_path / "runs", on_done=done.append)
    assert done == [jobs[1]]
    assert jobs[1].is_finished(tmp_path / "runs")


ENDING = """
import json, pathlib, sys
arguments = dict(zip(sys.argv[1:-1:2], sys.argv[2::2]))
if "--resume" in sys.argv:
    sys.exit("run is finished")
folder = pathlib.Path(arguments["--logs"]) / arguments["--task"] / ("date_" + arguments["--name"])
(folder / "checkpoints").mkdir(parents=True)
(folder / "checkpoints" / "state.pt").touch()
(folder / "summary.json").write_text(json.dumps({"status": STATUS, "command": "train"}))
sys.exit(2 if STATUS in ("nothing_learned", "failed") else 0)
"""


@pytest.mark.parametrize("status", FINISHED)
def test_whatever_a_finished_run_came_to_the_benchmark_ends(tmp_path, status):
    """train_mereq.py refuses to resume each of these; one that learned nothing ends with exit status 2."""
    script, job, done = tmp_path / "train.py", Job("T", "mereq", 0), []
    script.write_text(ENDING.replace("STATUS", repr(status)))
    for _ in range(2):
        run_jobs([job], [sys.executable, str(script)], tmp_path / "runs", on_done=done.append)
    assert done == [job] and job.result(tmp_path / "runs")["status"] == status
    assert [found["status"] for found in finished_runs(tmp_path / "runs", ["mereq"])] == [status]


def test_exit_status_2_of_a_run_that_is_not_finished_is_a_failure(tmp_path):
    script, job = tmp_path / "train.py", Job("T", "mereq", 0)
    script.write_text(ENDING.replace("STATUS", repr("failed")))
    with pytest.raises(JobError, match="T mereq_seed0"):
        run_jobs([job], [sys.executable, str(script)], tmp_path / "runs")


def test_settings_are_part_of_a_runs_name():
    plain, changed = Job("T", "mereq", 0), Job("T", "mereq", 0, ("agent.irl.learning_rate=0.02",))
    assert plain.name == "mereq_seed0" and changed.name == "mereq_seed0_irl.learning_rate=0.02"
    assert len(Job("T", "mereq", 0, ("agent.inner.max_steps=20",) * 20).name) < 40


def test_a_run_whose_settings_have_a_meaning_in_file_patterns_is_found(tmp_path, program):
    job = Job("T", "mereq", 0, ("agent.sac.critic.hidden_dims=[128,128]",))
    run_jobs([job], program, tmp_path)
    assert job.is_finished(tmp_path)


def test_a_run_with_other_settings_than_those_that_a_search_found_is_none_of_the_job(tmp_path, program, monkeypatch):
    job, plain = Job("Franka-Erase", "maxent_ft", 0), Job("Franka-Erase", "mereq", 0)
    run_jobs([job, plain], program, tmp_path)
    assert job.is_finished(tmp_path)
    monkeypatch.setitem(FOUND_SETTINGS, ("Franka-Erase", "maxent_ft"), ("agent.irl.learning_rate=0.03",))
    assert not job.is_finished(tmp_path) and plain.is_finished(tmp_path)
    # More rounds for methods that take seconds for one undo none that are finished.
    cloning = Job("Franka-Erase", "iwr_ft", 0)
    run_jobs([cloning], program, tmp_path)
    monkeypatch.setitem(OWN_SETTINGS, "iwr_ft", ("agent.max_rounds=3",))
    assert cloning.is_finished(tmp_path)
    # One that is not finished keeps its settings, so it cannot go on with others.
    folder, summary = cloning.find(tmp_path)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "state.pt").touch()
    (folder / "summary.json").write_text(json.dumps(summary | {"status": "interrupted"}))
    assert cloning.find(tmp_path) is None and "--resume" not in cloning.command(program, tmp_path)
    monkeypatch.undo()
    assert cloning.command(program, tmp_path)[-4:-2] == ["--resume", str(folder)]


def test_all_that_is_finished_in_a_folder_is_found(tmp_path, program):
    jobs = [Job("S", "maxent", 2), Job("T", "mereq", 0), Job("T", "iwr_ft", 0), Job("T", "mereq", 11)]
    with_settings = Job("T", "mereq", 1, ("agent.irl.learning_rate=0.5",))
    run_jobs([*jobs, with_settings], program, tmp_path)
    assert finished_runs(tmp_path, ["mereq", "iwr_ft", "maxent"]) == [job.result(tmp_path) for job in jobs]
    assert finished_runs(tmp_path, ["mereq"], with_settings.settings) == [with_settings.result(tmp_path)]
    assert finished_runs(tmp_path, ["mereq"]) != finished_runs(tmp_path, ["mereq"], with_settings.settings)


@pytest.mark.parametrize("ablation", sorted(ABLATIONS))
def test_ablation_is_mereq_with_other_settings_under_its_own_name(tmp_path, program, ablation):
    job = Job("T", ablation, 0, ("agent.max_rounds=2",))
    command = job.command(program, tmp_path)
    assert command[-3:] == ["agent.method=mereq", *ABLATIONS[ablation], "agent.max_rounds=2"]
    run_jobs([job], program, tmp_path)
    found = job.find(tmp_path)
    assert found is not None and found[1]["method"] == ablation and ablation in found[0].name
