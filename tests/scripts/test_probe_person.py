# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How often the person would take over, on the real simulator."""

from __future__ import annotations

import re

import pytest

from .conftest import run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]


def test_the_person_takes_over_from_the_prior_and_not_from_themselves():
    arguments = ["--num_envs", "8", "--thresholds", "0.4", "--patience", "6"]
    result = run_script("tools/probe_person.py", *arguments, COLUMNS="200")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("actions sampled") == 3, "each table says it"
    (row,) = (line for line in result.stdout.splitlines() if "takeovers" in line)
    prior, expert = (float(rate) for rate in re.findall(r"([\d.]+)% \(", row))
    assert prior > 20.0 and expert < 5.0
    heads = [line.split("│")[1].strip() for line in result.stdout.splitlines() if line.count("│") == 10]
    assert heads == ["prior", "expert"], "one line each says what the person minds"
    prior, expert, target = (
        float(re.findall(r"([\d.]+) ±", line)[1]) for line in result.stdout.splitlines() if re.search(r"\d ±", line)
    )
    assert abs(target - expert) < 0.2 * (expert - prior), "of the ink removed, a round teaches about what they want"


def test_a_share_that_is_none_is_refused():
    result = run_script("tools/probe_person.py", "--handback", "1.5")
    assert result.returncode == 2 and "handback is 1.5" in result.stderr
