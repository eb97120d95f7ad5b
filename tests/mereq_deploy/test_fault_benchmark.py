# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the benchmark of faults makes of its findings; the faults themselves are in ``test_faults.py``."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mereq_deploy.simulated.fault_runs import Finding

KEPT = Finding("policy returns NaN", "the policy returned numbers that are not finite", 0.04, 0.2, True)
BUSY = Finding("policy returns NaN", "the guard has not looked at the arm: the machine is too busy", 0, 0, True)
WRONG = Finding("policy returns NaN", "the arm arrived", 0.04, 0.2, True)


@pytest.fixture
def benchmark(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "scripts" / "tools")
    return importlib.import_module("benchmark_faults")


def test_a_run_that_the_load_stopped_decides_nothing_unless_that_was_the_fault(benchmark):
    finite = benchmark.Promise("policy returns NaN", lambda: KEPT, "not finite")
    assert benchmark.decided(finite, [KEPT, BUSY, WRONG]) == [KEPT, WRONG]
    starved = benchmark.Promise("guard starved", lambda: BUSY, "has not looked at the arm")
    assert benchmark.decided(starved, [BUSY]) == [BUSY] and starved.is_kept_by(BUSY)
    assert not finite.is_kept_by(WRONG) and not finite.is_undecided_by(WRONG)


def row(found: Finding) -> dict[str, object]:
    return {name: getattr(found, name) for name in ("name", "reason", "to_stop", "to_rest", "is_log_whole")}


@pytest.mark.parametrize(("findings", "status"), [([KEPT, BUSY, KEPT], 0), ([KEPT, WRONG], 1)])
def test_going_on_keeps_what_was_found_and_runs_nothing_twice(benchmark, monkeypatch, tmp_path, findings, status):
    file = tmp_path / "faults.json"
    other = {**row(KEPT), "name": "another fault"}
    file.write_text(json.dumps([other, *map(row, findings)]))
    promise = benchmark.Promise("policy returns NaN", lambda: KEPT, "not finite")
    monkeypatch.setattr(benchmark, "promises", lambda folder: [promise])
    arguments = ["--policy", str(tmp_path), "--repeat", "2", "--json", str(file), "--resume"]
    monkeypatch.setattr(sys, "argv", ["benchmark_faults.py", *arguments])
    assert benchmark.main() == status
    assert json.loads(file.read_text())[0] == other, "the findings of faults that were not asked for stay"
    table = file.with_suffix(".md").read_text()
    assert "| policy returns NaN | 2 of 2 | 1 | 0.04 | 0.20 |" in table if status == 0 else "| 1 of 2 |" in table
