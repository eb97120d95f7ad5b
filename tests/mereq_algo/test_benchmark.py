# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How methods are judged: measures on numbers made by hand, and jobs that are not run twice."""

from __future__ import annotations

import csv
import io
import itertools
import json
import signal
import subprocess
import sys
import time

import pytest
from omegaconf import OmegaConf

from mereq_algo.benchmark import (
    ABLATIONS,
    Job,
    JobError,
    SampleCount,
    as_csv,
    as_markdown,
    as_search_markdown,
    divergence_from_expert,
    median_count,
    run_jobs,
    samples_to_threshold,
    searched,
    write_plots,
)
from mereq_algo.methods import METHODS
from mereq_algo.runner import MEReQCfg


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        # 30 samples in the first round, 20 in the second bought the policy of the third, which is below 0.10.
        ([0.3, 0.2, 0.05], SampleCount(50)),
        # Below once, but not to stay: the fourth round undid it.
        ([0.3, 0.05, 0.2, 0.05], SampleCount(70)),
        # Never there: all that it had is a lower bound.
        ([0.3, 0.2, 0.1], SampleCount(60, censored=True)),
        # Content with the prior.
        ([0.05, 0.02], SampleCount(0)),
    ],
)
def test_samples_count_until_the_rate_stays_below_the_threshold(rates, expected):
    expert_samples = [30, 50, 60, 65] if rates != [0.3, 0.05, 0.2, 0.05] else [30, 35, 70, 75]
    assert samples_to_threshold(rates, expert_samples[: len(rates)], 0.10) == expected


def test_median_is_censored_where_a_censored_run_decides_it():
    done, censored = [SampleCount(10), SampleCount(30)], SampleCount(20, censored=True)
    # A censored run needs more than it had, so it comes last however few those were.
    assert median_count([*done, censored]) == SampleCount(30)
    assert median_count([done[0], censored, censored]) == SampleCount(20, censored=True)
    assert median_count(done) == SampleCount(20)
    # Of 15 and more, 40, and 50 and more the median is 40 at least.
    few, many = SampleCount(15, censored=True), SampleCount(50, censored=True)
    assert median_count([few, SampleCount(40), many]) == SampleCount(40, censored=True)


def test_divergence_is_zero_for_the_same_and_one_bit_for_disjoint_distributions():
    evaluation = {
        "aligned": {"histograms": {"same": [1, 3], "disjoint": [4, 0], "half": [2, 2]}},
        "expert": {"histograms": {"same": [10, 30], "disjoint": [0, 9], "half": [0, 1]}},
    }
    found = divergence_from_expert(evaluation)
    assert found["same"] == pytest.approx(0.0)
    assert found["disjoint"] == pytest.approx(1.0)
    # P = (1/2, 1/2), Q = (0, 1), M = (1/4, 3/4): (D(P|M) + D(Q|M)) / 2
    # = (1/2 log2 2 + 1/2 log2 2/3 + log2 4/3) / 2 = (0.2075 + 0.4150) / 2
    assert found["half"] == pytest.approx(0.3113, abs=1e-4)


def summary(method: str, seed: int, rates: list[float], expert_samples: list[int]) -> dict:
    def policy(prior_return: float, expert_return: float) -> dict:
        return {
            "return_prior_reward": {"mean": prior_return},
            "return_expert_reward": {"mean": expert_return},
            "histograms": {"force": [3, 1], "ink": [1, 1]},
        }

    num_rounds = len(rates)
    return {
        "task": "T",
        "method": method,
        "seed": seed,
        "status": "converged",
        "rounds": num_rounds,
        "intervention_rate": [0.0] * num_rounds,  # what five episodes showed decides nothing
        "rollout_intervention_rate": rates,
        "rollout_intervention_rate_upper": [rate + 0.1 for rate in rates],
        "expert_samples": expert_samples,
        "rollout_success_rate": [0.5] * num_rounds,
        "rollout_return_expert_reward": [-50.0 + 20.0 * index for index in range(num_rounds)],
        "rollout_return_prior_reward": [2.0 - index for index in range(num_rounds)],
        "round_wall_time_s": [10.0 * (index + 1) for index in range(num_rounds)],
        "success_rate": 0.75,
        "evaluation": {"prior": policy(2.0, -50.0), "aligned": policy(1.5, 40.0), "expert": policy(1.0, 50.0)},
    }


RUNS = [
    summary("mereq", 0, [0.3, 0.01], [100, 101]),
    summary("mereq", 1, [0.4, 0.01], [200, 202]),
    summary("iwr_ft", 0, [0.3, 0.2, 0.08], [100, 450, 500]),
    summary("iwr_ft", 1, [0.3, 0.2, 0.3], [100, 250, 400]),
]


def test_csv_has_a_row_a_round():
    rows = list(csv.DictReader(io.StringIO(as_csv(RUNS))))
    assert len(rows) == 2 + 2 + 3 + 3
    second = rows[1]
    assert (second["task"], second["method"], second["seed"], second["round"]) == ("T", "mereq", "0", "2")
    assert float(second["intervention_rate"]) == 0.01 and float(second["watched_intervention_rate"]) == 0.0
    # Prior -50, expert 50, this round -30: a fifth of the gap. The own reward fell from 2 to 1.
    assert float(second["return_gap_closed"]) == pytest.approx(0.2)
    assert float(second["prior_return_lost"]) == pytest.approx(1.0)


def test_table_gives_medians_and_ratios_and_marks_what_is_censored():
    table = as_markdown(RUNS, ["mereq", "iwr_ft"])
    # MEReQ: 100 and 200, median 150. IWR at 0.10: 450, and one run that never got there with 400: (450 + 400) / 2.
    assert "| mereq | 2 | 150 (125 to 175) | 1.00 | 150 (125 to 175) | 1.00 | 150 (125 to 175) | 1.00 |" in table
    assert "> 425 (412 to 438) | > 2.83" in table
    assert "| mereq | 90 % | 75 % | 0.5 | 0.000 | 0.000 |" in table


def test_search_table_has_a_row_a_value():
    table = as_search_markdown([("agent.irl.learning_rate=0.02", RUNS[2])])
    # Prior -50, aligned 40, expert 50: nine tenths of the gap.
    assert "| T | iwr_ft | `agent.irl.learning_rate=0.02` | 0 | 30, 20, 8 % | 500 | 90 % |" in table


SEARCHED = set(itertools.chain(*(searched(method, 0.01) for method in METHODS)))


@pytest.mark.parametrize("setting", sorted({*SEARCHED, *itertools.chain(*ABLATIONS.values())}))
def test_what_is_searched_or_ablated_is_a_setting_with_a_value_that_it_may_have(setting):
    MEReQCfg.from_dict(OmegaConf.to_container(OmegaConf.from_dotlist([setting]))["agent"])


def test_every_method_has_a_search_of_three_values():
    assert {len(searched(method, 0.01)) for method in METHODS} == {3}
    assert searched("mereq", 0.1) == tuple(f"agent.irl.learning_rate={rate}" for rate in ("0.05", "0.1", "0.2"))


def test_plots_are_written_as_png_and_pdf(tmp_path):
    files = write_plots(tmp_path, RUNS, ["mereq", "iwr_ft"])
    assert len(files) == 6
    assert {file.suffix for file in files} == {".png", ".pdf"}
    assert all(file.stat().st_size > 5_000 for file in files)


PROGRAM = """
import json, pathlib, sys
arguments = dict(zip(sys.argv[1:-1:2], sys.argv[2::2]))
if arguments["--seed"] == "13":
    sys.exit(1)
folder = pathlib.Path(arguments["--logs"]) / arguments["--task"] / ("date_" + arguments["--name"])
folder.mkdir(parents=True, exist_ok="--resume" in sys.argv)
(folder / "summary.json").write_text(json.dumps({"status": "converged", "arguments": sys.argv[1:]}))
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
    assert "agent.method=mereq" in found["arguments"] and "--resume" not in found["arguments"]


def test_interrupted_run_goes_on(tmp_path, program):
    job = Job("T", "maxent", 0)
    folder = tmp_path / "runs" / "T" / f"date_{job.name}"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "state.pt").touch()
    (folder / "summary.json").write_text(json.dumps({"status": "interrupted"}))
    assert not job.is_finished(tmp_path / "runs")
    run_jobs([job], program, tmp_path / "runs")
    arguments = job.find(tmp_path / "runs")[1]["arguments"]
    assert arguments[arguments.index("--resume") + 1] == str(folder)


def test_a_run_that_failed_before_its_first_round_hides_no_other(tmp_path, program):
    """The oldest folder is a dead one, without a state to go on from."""
    job = Job("T", "maxent", 0)
    dead = tmp_path / "runs" / "T" / f"a_{job.name}"
    dead.mkdir(parents=True)
    (dead / "summary.json").write_text(json.dumps({"status": "failed"}))
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
        "import sys, pathlib; from mereq_algo.benchmark import Job, run_jobs;"
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


def test_failed_run_is_named_and_does_not_stop_the_others(tmp_path, program):
    jobs = [Job("T", "mereq", seed) for seed in (13, 1)]
    with pytest.raises(JobError, match="T mereq_seed13"):
        run_jobs(jobs, program, tmp_path / "runs")
    assert jobs[1].is_finished(tmp_path / "runs")


def test_settings_are_part_of_a_runs_name():
    plain, changed = Job("T", "mereq", 0), Job("T", "mereq", 0, ("agent.irl.learning_rate=0.02",))
    assert plain.name == "mereq_seed0" and changed.name == "mereq_seed0_irl.learning_rate=0.02"
    assert len(Job("T", "mereq", 0, ("agent.inner.max_steps=20",) * 20).name) < 40


@pytest.mark.parametrize("ablation", sorted(ABLATIONS))
def test_ablation_is_mereq_with_other_settings_under_its_own_name(tmp_path, program, ablation):
    job = Job("T", ablation, 0, ("agent.max_rounds=2",))
    command = job.command(program, tmp_path)
    assert command[-3:] == ["agent.method=mereq", *ABLATIONS[ablation], "agent.max_rounds=2"]
    run_jobs([job], program, tmp_path)
    found = job.find(tmp_path)
    assert found is not None and found[1]["method"] == ablation and ablation in found[0].name
