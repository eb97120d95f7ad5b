# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The benchmark on the real simulator: every method, tiny, and started again."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]


def benchmark(output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "scripts" / "benchmark.py"), "--tasks", "Franka-Erase"]
    command += ["--output", str(output), "--fast", "--seeds", "1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)


def test_fast_benchmark_exercises_every_method_once(tmp_path):
    started = time.monotonic()
    result = benchmark(tmp_path, "--jobs", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    # Three minutes where it has the machine to itself; here other tests share the cores.
    assert time.monotonic() - started < 360.0
    rows = list(csv.DictReader((tmp_path / "benchmark.csv").open()))
    methods = {"mereq", "mereq_np", "maxent", "maxent_ft", "hg_dagger_ft", "iwr_ft"}
    assert {row["method"] for row in rows} == methods and len(rows) == 2 * len(methods)
    assert "δ = 0.05" in (tmp_path / "benchmark.md").read_text()
    assert len(list(tmp_path.glob("Franka-Erase_*.png"))) == len(list(tmp_path.glob("Franka-Erase_*.pdf"))) == 3

    again = benchmark(tmp_path)
    assert again.returncode == 0 and "0 of 6 runs to do" in again.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "methods"),
    [("Franka-PickPlace", {"maxent", "iwr_ft"}), ("Franka-PushBottle", {"maxent"})],
)
def test_methods_run_on_every_other_task_as_it_is_configured(tmp_path, task, methods):
    """What the tasks set for MEReQ (clones that begin episodes, θ by actions) has to suit the others as well."""
    result = benchmark(tmp_path, "--tasks", task, "--methods", *sorted(methods), "--jobs", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    rows = list(csv.DictReader((tmp_path / "benchmark.csv").open()))
    assert {(row["task"], row["method"]) for row in rows} == {(task, method) for method in methods}


@pytest.mark.slow
def test_fast_search_tries_every_value_of_a_methods_main_knob(tmp_path):
    result = benchmark(tmp_path, "--jobs", "2", "--methods", "hg_dagger_ft", "--search")
    assert result.returncode == 0, result.stdout + result.stderr
    table = (tmp_path / "search.md").read_text()
    assert table.count("| Franka-Erase | hg_dagger_ft | `agent.cloning.learning_rate=") == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--methods", "mereqq"), "unknown method 'mereqq'; did you mean mereq"),
        (("--method", "mereq"), "unknown argument '--method'; did you mean --methods"),
        (("--tasks", "Franka-PushBottle", "--methods", "mereq_np"), "none of them is of use on any of the tasks"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_run_is_refused(tmp_path, arguments, told):
    result = benchmark(tmp_path, *arguments)
    assert result.returncode == 2
    assert told in result.stderr and "Traceback" not in result.stderr
