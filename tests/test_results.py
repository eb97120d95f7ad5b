# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The tables of docs/results.md are those of the runs that are kept beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mereq_algo.benchmark import ABLATIONS, as_csv, as_markdown, finished_runs
from mereq_algo.methods import METHODS

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
