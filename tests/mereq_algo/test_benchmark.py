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
    divergence,
    finished_jobs,
    quartiles,
    run_jobs,
    samples_to_threshold,
    searched,
    write_plots,
)
from mereq_algo.benchmark.jobs import FOUND_SETTINGS, OWN_SETTINGS
from mereq_algo.benchmark.plots import _bars, _curves
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


def median_of(counts: list[SampleCount]) -> SampleCount:
    return quartiles(counts).median


def test_median_is_censored_where_a_censored_run_decides_it():
    done, censored = [SampleCount(10), SampleCount(30)], SampleCount(20, censored=True)
    # A censored run needs more than it had, so it comes last however few those were.
    assert median_of([*done, censored]) == SampleCount(30)
    assert median_of([done[0], censored, censored]) == SampleCount(20, censored=True)
    assert median_of(done) == SampleCount(20)
    # Of 15 and more, 40, and 50 and more the median is 40 at least.
    few, many = SampleCount(15, censored=True), SampleCount(50, censored=True)
    assert median_of([few, SampleCount(40), many]) == SampleCount(40, censored=True)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ([10, 20, 30, 40, 50], "20", "40"),
        ([10, 30], "15", "25"),
        # In order 47, 384, 639, and two that come last: the third quartile is one of them, and not below the median.
        (["> 777", 639, "> 626", 47, 384], "384", "> 639"),
        # Between 1101 and one that never got there lies something above 1101, though that one had 1028.
        (["> 1028", 915, 1101], "1008", "> 1101"),
        (["> 30", "> 10", "> 20"], "> 15", "> 25"),
        # One that got there late says nothing of the others, who had less: of those the quantiles are bounds.
        (["> 654", "> 777", "> 816", 921, "> 824"], "> 777", "> 824"),
        # Bounds of a few samples are none where others needed many.
        ([100, 900, "> 10", "> 20", "> 30"], "900", "> 900"),
    ],
)
def test_quartiles_are_open_where_a_censored_run_takes_part(counts, low, high):
    counts = [SampleCount(int(str(count).removeprefix("> ")), ">" in str(count)) for count in counts]
    found = quartiles(counts)
    assert (str(found.low), str(found.high)) == (low, high)
    assert found.low.samples <= found.median.samples <= found.high.samples


def test_divergence_is_zero_for_the_same_and_one_bit_for_disjoint_distributions():
    found = divergence(
        {"same": [1, 3], "disjoint": [4, 0], "half": [2, 2]}, {"same": [10, 30], "disjoint": [0, 9], "half": [0, 1]}
    )
    assert found["same"] == pytest.approx(0.0)
    assert found["disjoint"] == pytest.approx(1.0)
    # P = (1/2, 1/2), Q = (0, 1), M = (1/4, 3/4): (D(P|M) + D(Q|M)) / 2
    # = (1/2 log2 2 + 1/2 log2 2/3 + log2 4/3) / 2 = (0.2075 + 0.4150) / 2
    assert found["half"] == pytest.approx(0.3113, abs=1e-4)


def summary(method: str, seed: int, rates: list[float], expert_samples: list[int]) -> dict:
    def policy(prior_return: float, expert_return: float, success: float) -> dict:
        return {
            "success_rate": {"mean": success},
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
        "intervention_rate": [0.0] * num_rounds,  # what a few episodes showed decides nothing
        "intervention_rate_upper": [0.04] * num_rounds,
        "rollout_intervention_rate": rates,
        "rollout_intervention_rate_upper": [rate + 0.1 for rate in rates],
        "expert_samples": expert_samples,
        "rollout_success_rate": [0.5] * num_rounds,
        "rollout_return_expert_reward": [-50.0 + 20.0 * index for index in range(num_rounds)],
        "rollout_return_prior_reward": [2.0 - index for index in range(num_rounds)],
        "round_wall_time_s": [10.0 * (index + 1) for index in range(num_rounds)],
        "evaluation": {
            "prior": policy(2.0, -50.0, 0.25),
            "aligned": policy(1.5, 40.0, 0.75),
            "expert": policy(1.0, 50.0, 1.0),
        },
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
    assert list(rows[0]) == [
        *("task", "method", "seed", "round", "expert_samples", "intervention_rate", "intervention_rate_upper"),
        *("watched_intervention_rate", "watched_intervention_rate_upper", "return_gap_closed", "success_rate"),
        *("prior_return_lost", "wall_time_s", "status"),
    ]
    second = rows[1]
    assert (second["task"], second["method"], second["seed"], second["round"]) == ("T", "mereq", "0", "2")
    assert float(second["intervention_rate"]) == 0.01 and float(second["intervention_rate_upper"]) == 0.11
    assert float(second["watched_intervention_rate"]) == 0.0
    assert float(second["watched_intervention_rate_upper"]) == 0.04 and float(second["wall_time_s"]) == 20.0
    assert (second["status"], rows[0]["status"]) == ("converged", "")
    # Prior -50, expert 50, this round -30: a fifth of the gap. The own reward fell from 2 to 1.
    assert float(second["return_gap_closed"]) == pytest.approx(0.2)
    assert float(second["prior_return_lost"]) == pytest.approx(1.0)


def test_table_gives_medians_and_ratios_and_marks_what_is_censored():
    table = as_markdown(RUNS, ["mereq", "iwr_ft"])
    # MEReQ: 100 and 200, median 150. IWR at 0.10: 450, and one run that never got there, so it needs more than that.
    assert "| mereq | 2 | 150 (125 to 175) | 1.00 | 150 (125 to 175) | 1.00 | 150 (125 to 175) | 1.00 |" in table
    assert "> 425 (> 412 to > 438) | > 2.83" in table
    assert "| mereq | 90 % | 75 % | 0.5 | 0.000 | 0.000 |" in table
    assert "| prior | 0 % | 25 % | 0.0 | 0.000 | 0.000 |" in table
    assert "| expert | 100 % | 100 % | 1.0 | 0.000 | 0.000 |" in table
    alone = as_markdown(RUNS[:1], ["mereq", "iwr_ft"])
    assert "| expert | 100 % | 100 % | 1.0 | – | – |" in alone, "there is no other expert to compare it with"
    assert "| mereq | 1 | 100 | 1.00 |" in alone, "one run has no spread"


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


def test_curves_are_dotted_where_most_runs_are_over_and_end_with_the_longest():
    runs = {"iwr_ft": [*RUNS[2:], summary("iwr_ft", 2, [0.3, 0.1], [100, 200])]}
    axis = _curves("T", runs, {"iwr_ft": "C0"}).axes[0]
    (solid, dotted), deltas = axis.lines[:2], axis.lines[2:]
    assert solid.get_xdata()[0] == 0 and solid.get_xdata()[-1] == pytest.approx(400, abs=5), "the second run to end"
    assert dotted.get_xdata()[-1] == 500 and dotted.get_linestyle() != solid.get_linestyle()
    # Of 30, 30, 30 %; then what 100 samples bought: 20, 20 and 10 %; at the end 8, 30 and 10 %.
    rate = dict(zip(solid.get_xdata().round(), solid.get_ydata(), strict=True))
    assert rate[min(rate, key=lambda x: abs(x - 50))] == pytest.approx(30.0)
    assert rate[min(rate, key=lambda x: abs(x - 150))] == pytest.approx(20.0)
    assert dotted.get_ydata()[-1] == pytest.approx(10.0)
    assert [line.get_ydata()[0] for line in deltas] == [15.0, 10.0, 5.0]


def test_bars_are_hatched_where_the_median_is_a_bound():
    axis = _bars("T", {"mereq": RUNS[:2], "iwr_ft": RUNS[2:]}, {"mereq": "C0", "iwr_ft": "C1"}).axes[0]
    heights = [[bar.get_height() for bar in container] for container in axis.containers if len(container) == 1]
    hatches = [container[0].get_hatch() for container in axis.containers if len(container) == 1]
    assert heights == [[150], [150], [150], [425], [425], [450]]
    assert hatches == [None] * 3 + ["//"] * 3


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
    jobs, done = [Job("T", "mereq", seed) for seed in (13, 1)], []
    with pytest.raises(JobError, match="T mereq_seed13"):
        run_jobs(jobs, program, tmp_path / "runs", on_done=done.append)
    assert done == [jobs[1]]
    assert jobs[1].is_finished(tmp_path / "runs")


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


def test_all_that_is_finished_in_a_folder_is_found(tmp_path, program):
    jobs = [Job("S", "maxent", 2), Job("T", "mereq", 0), Job("T", "iwr_ft", 0), Job("T", "mereq", 11)]
    with_settings = Job("T", "mereq", 1, ("agent.irl.learning_rate=0.5",))
    run_jobs([*jobs, with_settings], program, tmp_path)
    assert finished_jobs(tmp_path, ["mereq", "iwr_ft", "maxent"]) == jobs
    assert finished_jobs(tmp_path, ["mereq"], with_settings.settings) == [with_settings]


@pytest.mark.parametrize("ablation", sorted(ABLATIONS))
def test_ablation_is_mereq_with_other_settings_under_its_own_name(tmp_path, program, ablation):
    job = Job("T", ablation, 0, ("agent.max_rounds=2",))
    command = job.command(program, tmp_path)
    assert command[-3:] == ["agent.method=mereq", *ABLATIONS[ablation], "agent.max_rounds=2"]
    run_jobs([job], program, tmp_path)
    found = job.find(tmp_path)
    assert found is not None and found[1]["method"] == ablation and ablation in found[0].name
