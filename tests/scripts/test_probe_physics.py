# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a step of physics costs, on the real simulator."""

from __future__ import annotations

import re

import pytest

from .conftest import run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]


def test_it_tells_the_time_of_kernels_and_what_the_solver_needs():
    arguments = ["--task", "Franka-PickPlace", "--num_envs", "8", "--steps", "30", "--kernels", "5"]
    result = run_script("tools/probe_physics.py", *arguments, "--device", "cpu", COLUMNS="200")
    assert result.returncode == 0, result.stderr
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if "│" in line]
    kernels, all_of_them, played_back = rows[:5], rows[5], rows[6]
    times = [float(time) for _, time, _ in kernels]
    assert times == sorted(times, reverse=True) and times[-1] > 0.0
    assert sum(times) < float(all_of_them[1])
    # Eight robots are so few that to launch kernels is most of what they cost.
    assert 0.0 < float(played_back[1]) < float(all_of_them[1])
    assert any("ccd" in name or "JTDACJ" in name for name, *_ in kernels)
    solver = {name: numbers for name, *numbers in rows[7:]}
    for name in ("iterations", "rows", "contacts"):
        mean, _, fullest, most = (float(number) for number in solver[name][:4])
        assert 0.0 < mean <= fullest <= most, name
    for name in ("rows", "contacts"):
        assert float(solver[name][3]) <= int(solver[name][4]), f"no room for {name}"
    assert int(re.search(r"(\d+) robots", result.stdout)[1]) == 8


def test_no_steps_are_refused():
    result = run_script("tools/probe_physics.py", "--steps", "0")
    assert result.returncode == 2 and "steps is 0" in result.stderr
