# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Speed of environments, measured on one whose speed is known."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import torch

from mereq_algo.irl import MaxEntIRLCfg
from mereq_algo.methods import InnerLoopCfg
from mereq_algo.networks import PolicyCfg
from mereq_algo.residual import ResidualSACCfg
from mereq_lab.benchmark import (
    SHARES,
    Speed,
    TrainingSpeed,
    measure_stepping,
    plot_speeds,
    speeds_as_csv,
    speeds_as_markdown,
)
from mereq_lab.benchmark.stopwatch import Stopwatch

from ..mereq_algo.analytic_envs import LinearEnv, linear_gaussian_policy


def test_rate_counts_every_robot_and_not_the_warm_up():
    """Ten robots whose steps take at least 2 ms make at most 5,000 steps a second; the slow first ones do not count."""
    durations = iter([0.2, 0.2])
    env = SimpleNamespace(num_envs=10, device="cpu", step=lambda actions: time.sleep(next(durations, 0.002)))
    rates = measure_stepping(env, lambda: torch.zeros(10, 3), seconds=0.1, repeats=3, warm_up_s=0.3)
    assert len(rates) == 3
    assert all(500 < rate <= 5_000 for rate in rates)


class SlowLinearEnv(LinearEnv):
    """Has a simulation that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.unwrapped = SimpleNamespace(sim=Simulation())

    def step(self, actions):
        self.unwrapped.sim.step()
        return super().step(actions)


class Simulation:
    def step(self) -> None:
        time.sleep(0.02)


def speed(rates: list[float], **fields) -> Speed:
    return Speed.of(rates, **{"engine": "mereq_lab", "task": "T", "robots": 64, "processes": 1, **fields})


def test_median_of_repeats_is_the_figure():
    measured = speed([300.0, 100.0, 200.0, 1_000.0, 250.0])
    assert (measured.env_steps_per_s, measured.lowest, measured.highest, measured.repeats) == (250.0, 100.0, 1_000.0, 5)


def test_table_divides_by_the_peer_beside_it():
    peers = [speed([50.0], engine="peer", task="P", robots=1), speed([80.0], engine="peer", task="P", processes=2)]
    table = speeds_as_markdown([(speed([1_000.0], peak_memory_mib=2048.0), peers)])
    *_, row = table.strip().splitlines()
    assert row == "| T | 64 | stepping | 1,000 | 1,000 to 1,000 | 2.0 GiB |  |  |  |  | 50 (P) | 20.0 | 80 (P) | 12.5 |"
    training = speed([500.0], part="training", physics=0.5, environment=0.25, replay=0.0, learning=0.9)
    both = speeds_as_markdown([(speed([1_000.0]), peers), (training, [])]).strip().splitlines()
    assert both[-1] == "| T | 64 | training | 500 | 500 to 500 |  | 50 % | 25 % | 0 % | 90 % |  |  |  |  |"
    assert {line.count("|") for line in both} == {15}


def test_csv_has_a_row_a_measurement_and_no_figure_for_what_was_not_measured():
    header, row = speeds_as_csv([speed([10.0])]).splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["peak_memory_mib"] == ""


@pytest.mark.parametrize("peers", [[], [speed([5.0], engine="peer", processes=2)]])
def test_plot_needs_no_peer(tmp_path, peers):
    plot_speeds([(speed([100.0, 120.0], robots=robots), peers) for robots in (4, 64)], tmp_path / "speed.png")
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


def test_a_stopwatch_times_methods_and_leaves_no_trace():
    class Sleeper:
        def nap(self, seconds: float) -> str:
            time.sleep(seconds)
            return "slept"

    sleeper, watch = Sleeper(), Stopwatch()
    with watch.timing(napping=(sleeper, "nap")):
        assert sleeper.nap(0.02) == "slept" and sleeper.nap(0.03) == "slept"
    sleeper.nap(0.05)
    assert 0.05 <= watch.seconds["napping"] < 0.09 and vars(sleeper) == {}


def test_the_speed_of_training_is_that_of_the_real_inner_loop():
    """Each step of the simulation takes 20 ms, so that no more than 64 / 20 ms steps of a robot can be made."""
    env = SlowLinearEnv()
    inner, irl = InnerLoopCfg(theta_interval=2, window=4), MaxEntIRLCfg()
    sac = ResidualSACCfg(learning_starts=64, policy=PolicyCfg(hidden_dims=(8,)))
    training = TrainingSpeed(env, linear_gaussian_policy(0.8, 0.3, 0.4), 0.1, sac, irl, inner)
    rates = training.rates(seconds=0.2, repeats=2, warm_up_s=0.1)
    assert all(1_000 < rate < 64 / 0.02 for rate in rates)
    assert training.algorithm.num_updates > 10 and training.algorithm.reward.theta.abs().sum() > 0.0
    shares = training.shares(30)
    assert tuple(shares) == SHARES and shares["learning"] > 0.05
    assert 0.2 < shares["physics"] < 1.0 and shares["environment"] > 0.0
