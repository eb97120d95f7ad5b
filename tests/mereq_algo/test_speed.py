# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Speed of environments, measured on one whose speed is known."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import torch

from mereq_algo.benchmark import Speed, measure_stepping, plot_speeds, speeds_as_csv, speeds_as_markdown


def test_rate_counts_every_robot_and_not_the_warm_up():
    """Ten robots whose steps take at least 2 ms make at most 5,000 steps a second; the slow first ones do not count."""
    durations = iter([0.2, 0.2])
    env = SimpleNamespace(num_envs=10, device="cpu", step=lambda actions: time.sleep(next(durations, 0.002)))
    rates = measure_stepping(env, lambda: torch.zeros(10, 3), seconds=0.1, repeats=3, warm_up_s=0.3)
    assert len(rates) == 3
    assert all(500 < rate <= 5_000 for rate in rates)


def speed(rates: list[float], **fields) -> Speed:
    return Speed.of(rates, **{"engine": "mereq_lab", "task": "T", "robots": 64, "processes": 1, **fields})


def test_median_of_repeats_is_the_figure():
    measured = speed([300.0, 100.0, 200.0, 1_000.0, 250.0])
    assert (measured.env_steps_per_s, measured.lowest, measured.highest, measured.repeats) == (250.0, 100.0, 1_000.0, 5)


def test_table_divides_by_the_peer_beside_it():
    peers = [speed([50.0], engine="peer", task="P", robots=1), speed([80.0], engine="peer", task="P", processes=2)]
    table = speeds_as_markdown([(speed([1_000.0], peak_memory_mib=2048.0), peers)])
    *_, row = table.strip().splitlines()
    assert row == "| T | 64 | 1,000 | 1,000 to 1,000 | 2.0 GiB | 50 (P) | 20.0 | 80 (P) | 12.5 |"
    assert {line.count("|") for line in table.strip().splitlines()} == {10}


def test_csv_has_a_row_a_measurement_and_no_figure_for_what_was_not_measured():
    header, row = speeds_as_csv([speed([10.0])]).splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["peak_memory_mib"] == ""


@pytest.mark.parametrize("peers", [[], [speed([5.0], engine="peer", processes=2)]])
def test_plot_needs_no_peer(tmp_path, peers):
    plot_speeds([(speed([100.0, 120.0], robots=robots), peers) for robots in (4, 64)], tmp_path / "speed.png")
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")
