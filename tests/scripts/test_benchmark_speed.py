# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The benchmark of speed on the real simulator, tiny, and what it does without its peer."""

from __future__ import annotations

import csv
import runpy

import pytest

from .conftest import REPOSITORY, run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]


@pytest.mark.slow
def test_more_robots_make_more_steps(tmp_path):
    options = [
        "--robots",
        "4",
        "64",
        "--repeats",
        "2",
        "--seconds",
        "0.5",
        "--device",
        "cpu",
        "--output",
        str(tmp_path),
    ]
    result = run_script("tools/benchmark_speed.py", "--tasks", "Franka-Erase", *options, task=None)
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader((tmp_path / "speed.csv").open()))
    assert [row["part"] for row in rows] == 2 * ["stepping", "policy", "training"]
    for row in rows[2::3]:
        assert 0.0 < float(row["physics"]) < 1.0 and float(row["learning"]) > 0.0 and float(row["environment"]) > 0.0
        assert float(row["env_steps_per_s"]) > 10.0
    few, _, _, many, _, _ = rows
    assert (few["robots"], many["robots"], many["engine"]) == ("4", "64", "mereq_lab")
    assert 4 * float(few["env_steps_per_s"]) < float(many["env_steps_per_s"])
    assert float(many["lowest"]) <= float(many["env_steps_per_s"]) <= float(many["highest"])
    assert 100 < float(many["peak_memory_mib"]) < 16_000
    assert (
        "| Franka-Erase | 64 | training |" in (tmp_path / "speed.md").read_text()
        and (tmp_path / "speed.png").stat().st_size > 0
    )


@pytest.mark.slow
def test_two_processes_are_measured_at_the_same_time_side_by_side_and_as_one(tmp_path):
    options = ["--robots", "16", "--processes", "2", "--parts", "training", "--repeats", "2", "--seconds", "0.5"]
    options += ["agent.sac.bfloat16=True"]
    result = run_script(
        "tools/benchmark_speed.py",
        *("--tasks", "Franka-Erase", *options, "--device", "cpu", "--output", str(tmp_path)),
        task=None,
    )
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader((tmp_path / "speed.csv").open()))
    assert [(row["part"], row["processes"], row["robots"]) for row in rows] == [
        ("training", "2", "16"),
        ("training as one", "2", "16"),
    ]
    assert all(float(row["env_steps_per_s"]) > 10.0 for row in rows)
    assert "| Franka-Erase | 16 | training as one, 2 processes |" in (tmp_path / "speed.md").read_text()


def test_every_peer_has_a_script():
    speed = runpy.run_path(str(REPOSITORY / "scripts" / "tools" / "benchmark_speed.py"))
    assert all(speed["peer_script"](peer).is_file() for peer in speed["PEERS"]) and speed["PEERS"]


def test_a_peer_that_cannot_be_fetched_is_told_of_before_anything_is_measured(tmp_path):
    options = ["--peer", "robosuite", "--output", str(tmp_path / "speed")]
    result = run_script(
        "tools/benchmark_speed.py",
        *options,
        task=None,
        UV_OFFLINE="1",
        UV_CACHE_DIR=str(tmp_path / "empty"),
        UV_NO_CONFIG="1",
    )
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "robosuite could not be measured" in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--robots", "0"],
        ["--seconds", "0"],
        ["--tasks", "Franka-Erasee"],
        ["--processes", "2", "--device", "cuda"],
        ["--robots", "1", "--processes", "2", "--device", "cpu"],
        ["--second", "1"],
        ["--tasks", "Franka-Erase", "agnet.sac.bfloat16=True"],
        ["--tasks", "Franka-Erase", "--device", "cpu", "agent.sac.bfloat=True"],
    ],
)
def test_what_cannot_be_measured_is_refused(options):
    result = run_script("tools/benchmark_speed.py", *options, task=None)
    assert result.returncode == 2 and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
