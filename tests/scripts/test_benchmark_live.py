# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The measurement of live supervision on the real simulator, short, beside a run that learns."""

from __future__ import annotations

import re

import pytest

from .conftest import run_script


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.realtime
@pytest.mark.timeout(600)
def test_it_measures_steps_and_the_way_from_the_hands():
    result = run_script("tools/benchmark_live.py", "--beside-learner", "--seconds", "6")
    assert result.returncode == 0, result.stderr
    steps, late = re.findall(r"Franka-Erase: (\d+) steps, (\d+) of them late", result.stdout)[0]
    assert int(steps) > 60 and int(late) < int(steps)
    times, median = re.findall(r"(\d+) times: median (\d+)", result.stdout)[0]
    assert int(times) >= 3
    assert 30 < int(median) < 1000, "a step passes between hands and robot at least; slow machines have late steps"


@pytest.mark.parametrize(
    ("arguments", "words"), [(("--seconds", "1"), "at least 5 are needed"), (("--task", "Nothing"), "task")]
)
def test_what_cannot_be_measured_is_refused(arguments, words):
    result = run_script("tools/benchmark_live.py", *arguments, task=None)
    assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1
