# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What docs/results.md says is what the runs that are kept beside it say, and no goal is missed that it calls met."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from mereq_algo.methods import METHODS
from mereq_lab.benchmark import ABLATIONS, as_csv, as_markdown, finished_runs

DOCS = Path(__file__).resolve().parents[1] / "docs"

TABLES = [
    ("Franka-Erase", "runs", "benchmark.csv"),
    ("Franka-PushBottle", "runs", "benchmark_push_bottle.csv"),
    ("Franka-PickPlace", "runs", "benchmark_pick_place.csv"),
]
"""Task, where its runs are, and every round of them."""


@pytest.mark.parametrize(("task", "folder", "rounds"), TABLES)
def test_tables_of_a_task_are_made_from_the_runs_that_are_kept(task, folder, rounds):
    methods = [*METHODS, *ABLATIONS]
    runs = [run for run in finished_runs(DOCS / "results" / folder, methods) if run["task"] == task]
    assert len(runs) >= 4
    assert (DOCS / "results" / rounds).read_text(encoding="utf-8").splitlines() == as_csv(runs).splitlines()
    page = (DOCS / "results.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in as_markdown(runs, methods).splitlines() if line.startswith("|")]
    assert len(rows) > 6
    assert [row for row in rows if row not in page] == []


def alignments(task: str) -> dict[int, dict[str, Any]]:
    """The kept runs of MEReQ, by seed."""
    return {run["seed"]: run for run in finished_runs(DOCS / "results" / "runs", ["mereq"]) if run["task"] == task}


def missed(run: dict[str, Any]) -> set[str]:
    """Which of the goals for an alignment a run has missed."""
    success = {who: run["evaluation"][who]["success_rate"]["mean"] for who in ("aligned", "expert")}
    goals = {
        "the person has much to correct at first": run["intervention_rate"][0] >= 0.30,
        "they are sure that it is little in the end": run["intervention_rate_upper"][-1] < 0.05,
        "most of the gap in return is closed": run["expert_return_gap_closed"] >= 0.90,
        "the task is done as often as by the expert": success["aligned"] >= success["expert"] - 0.03,
    }
    return {goal for goal, is_met in goals.items() if not is_met}


@pytest.mark.parametrize(
    ("task", "num_seeds", "known"),
    [
        ("Franka-PickPlace", 3, {}),
        ("Franka-PushBottle", 4, {seed: {"the person has much to correct at first"} for seed in (1, 2)}),
    ],
)
def test_alignments_miss_no_goal_but_those_that_the_page_names(task, num_seeds, known):
    runs = alignments(task)
    assert len(runs) == num_seeds
    assert {seed: goals for seed, run in runs.items() if (goals := missed(run))} == known


@pytest.mark.parametrize(
    ("task", "who", "success", "offset_m"),
    [
        ("pick_place", "prior", 0.9, (0.03, 0.075)),
        ("pick_place", "expert", 0.9, (0.0, 0.01)),
        ("push_bottle", "prior", 0.7, None),
        ("push_bottle", "expert", 0.9, None),
    ],
)
def test_shipped_policies_do_their_task_in_200_episodes(task, who, success, offset_m):
    found = json.loads((DOCS / "results" / "play" / f"franka_{task}_{who}.json").read_text(encoding="utf-8"))
    assert found["episodes"] == 200 and found["success_rate"]["mean"] >= success
    if offset_m:
        assert offset_m[0] <= found["grasp_offset_m"]["mean"] <= offset_m[1]
    if (task, who) == ("push_bottle", "prior"):
        assert found["toppled"]["mean"] > 0.0, "to push high really tips it"


def test_the_longest_alignment_takes_half_an_hour_on_two_cores():
    runs = alignments("Franka-PickPlace")
    longest = max(runs, key=lambda seed: runs[seed]["wall_time_s"])
    file = DOCS / "results" / f"franka_pick_place_seed{longest}_two_cores.json"
    two_cores = json.loads(file.read_text(encoding="utf-8"))
    assert two_cores["wall_time_s"] <= 30 * 60
    for figures in ("intervention_rate", "expert_samples", "theta", "evaluation"):
        assert two_cores[figures] == runs[longest][figures]


WITHOUT_POLICIES = {"faults.json", "streaming.json"}
"""What a simulated arm did, not how good a policy is."""


@pytest.mark.parametrize(
    "file", sorted((DOCS / "results").rglob("*.json")), ids=lambda file: str(file.relative_to(DOCS))
)
def test_kept_figures_say_which_actions_they_are_of(file):
    if file.name in WITHOUT_POLICIES:
        return
    expected = "mean" if file.parent.name == "deploy" else "sampled"
    assert json.loads(file.read_text(encoding="utf-8"))["actions"] == expected


@pytest.mark.parametrize("file", sorted((DOCS / "results").glob("*.csv")), ids=lambda file: file.name)
def test_kept_rounds_say_which_actions_they_are_of(file):
    rows = list(csv.DictReader(file.open(encoding="utf-8")))
    if "success_rate" in rows[0]:
        assert {row["actions"] for row in rows} == {"sampled"}
