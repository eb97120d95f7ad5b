# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the user sees: the live panel on a terminal, a line a round elsewhere, the table at the end."""

import io

import torch

from mereq_algo.methods import InnerLoopProgress
from mereq_algo.records import RunRecord
from mereq_lab.plain_console import PlainConsole
from mereq_lab.watch import ConsoleDisplay, evaluation_table


def make_record(**changes) -> RunRecord:
    """One round is over: the person controlled 30 % of it, for 300 steps."""
    values = {
        "task": "Franka-Erase",
        "method": "mereq",
        "seed": 0,
        "device": "cpu",
        "num_envs": 512,
        "threshold": 0.05,
        "feature_names": ["ink_removed"],
        "intervention_rate": [0.3],
        "intervention_rate_upper": [0.4],
        "num_takeovers": [7],
        "expert_samples": [300],
        "rollout_success_rate": [0.25],
        "wall_time_s": 30.0,
        "raw_sim_time_s": 2.0,
        "raw_env_steps": 6_000,
        "env_steps": 60_000,
    }
    return RunRecord(**(values | changes))


def make_progress(step: int) -> InnerLoopProgress:
    return InnerLoopProgress(step, 350, 0.125, torch.zeros(1), {"ink_removed": 2.5}, {})


def show(display: ConsoleDisplay, record: RunRecord, inner: InnerLoopProgress | None) -> str:
    output = io.StringIO()
    display.console.file = output
    display.console.print(display._panel(record, "learning", inner))
    return output.getvalue()


def test_panel_tells_what_a_user_wants_to_know():
    display = ConsoleDisplay(max_rounds=6, console=PlainConsole(width=120))
    panel = show(display, make_record(), make_progress(step=70))
    for fact in (
        "Franka-Erase",
        "1 of at most 6",
        "30.0 %",
        "40.0 %",
        "goal 5.0 %",
        "300",
        "25.0 %, actions sampled",
        "ink_removed +2.50",
    ):
        assert fact in panel
    # 60,000 steps in 30 s, of which 20 s were simulation.
    assert "2,000 env-steps/s (3,000 without learning)" in panel
    assert "0.125" in panel and "70/350" in panel


def test_time_left_counts_the_learning_that_is_still_to_come():
    # 70 of 350 steps are a fifth of a round, and took 30 s: a whole one takes 150 s. At most 5 rounds of learning
    # lie between 6 supervised rollouts, so 4.8 rounds are left: 720 s.
    display = ConsoleDisplay(max_rounds=6, console=PlainConsole(width=120))
    assert "0:30, 12:00 left at most" in show(display, make_record(), make_progress(step=70))
    assert "0:30, ? left at most" in show(display, make_record(intervention_rate=[]), None)


def test_file_gets_one_line_a_round():
    output = io.StringIO()
    with ConsoleDisplay(max_rounds=6, console=PlainConsole(file=output, width=200)) as display:
        for step in (5, 10, 15):
            display.update(make_record(), "learning", make_progress(step))
    (line,) = output.getvalue().splitlines()
    assert line.startswith("round 1: person in control 30.0 % of the time (at most 40.0 %, goal 5.0 %), 7 takeovers")
    assert "success alone 25.0 %, actions sampled, 0:30" in line


def test_table_shows_policies_side_by_side():
    def evaluation(ink: float) -> dict:
        cell = {"mean": ink, "stderr": 0.01}
        names = ("success_rate", "return_prior_reward", "return_expert_reward", "ink_removed", "offset_m")
        return {
            "episodes": 100,
            "actions": "mean",
            "num_broken": 0,
            "features": {"normal_force": cell},
        } | dict.fromkeys(names, cell)

    output = io.StringIO()
    PlainConsole(file=output, width=120).print(
        evaluation_table({"prior": evaluation(0.2), "expert": evaluation(0.97)}, "T")
    )
    (row,) = (line for line in output.getvalue().splitlines() if "ink removed" in line)
    assert row.index("20.0 ± 1.0 %") < row.index("97.0 ± 1.0 %")
    assert "offset [m]" in output.getvalue()
    assert "actions mean; mean ± standard error over 100 episodes" in output.getvalue()
