# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How methods are judged: measures, tables and plots of numbers made by hand."""

from __future__ import annotations

import csv
import io
import itertools
import math
import random

import numpy as np
import pytest
from omegaconf import OmegaConf

from mereq_algo.methods import METHODS
from mereq_algo.runner import MEReQCfg
from mereq_lab.benchmark import (
    ABLATIONS,
    SampleCount,
    as_csv,
    as_markdown,
    as_search_markdown,
    divergence,
    quartiles,
    samples_to_threshold,
    searched,
    write_plots,
)
from mereq_lab.benchmark.measures import gap_closed
from mereq_lab.benchmark.plots import PALETTE, _bars, _curves


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        # 30 samples in the first round, 20 in the second bought the policy of the third, which is below 0.10.
        ([0.3, 0.2, 0.05], SampleCount(50)),
        # Below once, but not to stay: the fourth round undid it.
        ([0.3, 0.05, 0.2, 0.05], SampleCount(70)),
        # Never there: all that it had is a lower bound.
        ([0.3, 0.2, 0.1], SampleCount(60, censored=True)),
        # Content with the prior.
        ([0.05, 0.02], SampleCount(0)),
    ],
)
def test_samples_count_until_the_rate_stays_below_the_threshold(rates, expected):
    expert_samples = [30, 50, 60, 65] if rates != [0.3, 0.05, 0.2, 0.05] else [30, 35, 70, 75]
    assert samples_to_threshold(rates, expert_samples[: len(rates)], 0.10) == expected


def median_of(counts: list[SampleCount]) -> SampleCount:
    return quartiles(counts).median


def test_median_is_censored_where_a_censored_run_may_decide_it():
    done, censored = [SampleCount(10), SampleCount(30)], SampleCount(20, censored=True)
    # A censored run needs more than it had, so the median is 20 at least, and 30 at most.
    assert median_of([*done, censored]) == SampleCount(20, censored=True)
    assert median_of([done[0], censored, censored]) == SampleCount(20, censored=True)
    assert median_of(done) == SampleCount(20)
    # Of 15 and more, 40, and 50 and more the median is 40 at least.
    few, many = SampleCount(15, censored=True), SampleCount(50, censored=True)
    assert median_of([few, SampleCount(40), many]) == SampleCount(40, censored=True)
    # However many more than 50 it takes, of 30, 40, and 50 and more the median is known.
    assert median_of([SampleCount(30), SampleCount(40), many]) == SampleCount(40)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ([10, 20, 30, 40, 50], "20", "40"),
        ([10, 30], "15", "25"),
        # The first quartile is below all that is open; the third is one that needed more than 639, or than 626.
        (["> 777", 639, "> 626", 47, 384], "384", "> 639"),
        (["> 1028", 915, 1101], "> 972", "> 1064"),
        (["> 30", "> 10", "> 20"], "> 15", "> 25"),
        (["> 654", "> 777", "> 816", 921, "> 824"], "> 777", "> 824"),
        # Whoever was stopped after 10 may have needed 11: with those in front, the quartile is 20 at least.
        ([100, 900, "> 10", "> 20", "> 30"], "> 20", "> 100"),
    ],
)
def test_quartiles_are_open_where_a_censored_run_takes_part(counts, low, high):
    counts = [SampleCount(int(str(count).removeprefix("> ")), ">" in str(count)) for count in counts]
    found = quartiles(counts)
    assert (str(found.low), str(found.high)) == (low, high)
    assert found.low.samples <= found.median.samples <= found.high.samples


def test_quartiles_hold_however_many_samples_censored_runs_would_have_needed():
    draw = random.Random(0)
    for _ in range(500):
        counts = [SampleCount(draw.randint(1, 1000), draw.random() < 0.4) for _ in range(draw.randint(1, 6))]
        needed = [count.samples + count.censored * draw.choice((1, 50, 10_000)) for count in counts]
        found = quartiles(counts)
        for share, quartile in zip((0.25, 0.5, 0.75), (found.low, found.median, found.high), strict=True):
            true = round(float(np.quantile(needed, share)))
            assert quartile.samples <= true if quartile.censored else quartile.samples == true


def test_divergence_is_zero_for_the_same_and_one_bit_for_disjoint_distributions():
    found = divergence(
        {"same": [1, 3], "disjoint": [4, 0], "half": [2, 2]}, {"same": [10, 30], "disjoint": [0, 9], "half": [0, 1]}
    )
    assert found["same"] == pytest.approx(0.0)
    assert found["disjoint"] == pytest.approx(1.0)
    # P = (1/2, 1/2), Q = (0, 1), M = (1/4, 3/4): (D(P|M) + D(Q|M)) / 2
    # = (1/2 log2 2 + 1/2 log2 2/3 + log2 4/3) / 2 = (0.2075 + 0.4150) / 2
    assert found["half"] == pytest.approx(0.3113, abs=1e-4)


def summary(method: str, seed: int, rates: list[float], expert_samples: list[int]) -> dict:
    def policy(prior_return: float, expert_return: float, success: float) -> dict:
        return {
            "success_rate": {"mean": success},
            "return_prior_reward": {"mean": prior_return},
            "return_expert_reward": {"mean": expert_return},
            "histograms": {"force": [3, 1], "ink": [1, 1]},
        }

    num_rounds = len(rates)
    return {
        "task": "T",
        "method": method,
        "seed": seed,
        "status": "converged",
        "rounds": num_rounds,
        "intervention_rate": [0.0] * num_rounds,  # what a few episodes showed decides nothing
        "intervention_rate_upper": [0.04] * num_rounds,
        "rollout_intervention_rate": rates,
        "rollout_intervention_rate_upper": [rate + 0.1 for rate in rates],
        "expert_samples": expert_samples,
        "rollout_success_rate": [0.5] * num_rounds,
        "rollout_return_expert_reward": [-50.0 + 20.0 * index for index in range(num_rounds)],
        "rollout_return_prior_reward": [2.0 - index for index in range(num_rounds)],
        "round_wall_time_s": [10.0 * (index + 1) for index in range(num_rounds)],
        "evaluation": {
            "prior": policy(2.0, -50.0, 0.25),
            "aligned": policy(1.5, 40.0, 0.75),
            "expert": policy(1.0, 50.0, 1.0),
        },
    }


RUNS = [
    summary("mereq", 0, [0.3, 0.01], [100, 101]),
    summary("mereq", 1, [0.4, 0.01], [200, 202]),
    summary("iwr_ft", 0, [0.3, 0.2, 0.08], [100, 450, 500]),
    summary("iwr_ft", 1, [0.3, 0.2, 0.3], [100, 250, 400]),
]


def test_csv_has_a_row_a_round():
    rows = list(csv.DictReader(io.StringIO(as_csv(RUNS))))
    assert len(rows) == 2 + 2 + 3 + 3
    assert list(rows[0]) == [
        *("task", "method", "seed", "round", "actions", "expert_samples", "intervention_rate"),
        "intervention_rate_upper",
        *("watched_intervention_rate", "watched_intervention_rate_upper", "return_gap_closed", "success_rate"),
        *("prior_return_lost", "wall_time_s", "status"),
    ]
    second = rows[1]
    assert (second["task"], second["method"], second["seed"], second["round"]) == ("T", "mereq", "0", "2")
    assert float(second["intervention_rate"]) == 0.01 and float(second["intervention_rate_upper"]) == 0.11
    assert float(second["watched_intervention_rate"]) == 0.0
    assert float(second["watched_intervention_rate_upper"]) == 0.04 and float(second["wall_time_s"]) == 20.0
    assert (second["status"], rows[0]["status"]) == ("converged", "")
    # Prior -50, expert 50, this round -30: a fifth of the gap. The own reward fell from 2 to 1.
    assert float(second["return_gap_closed"]) == pytest.approx(0.2)
    assert float(second["prior_return_lost"]) == pytest.approx(1.0)


def test_table_gives_medians_and_ratios_and_marks_what_is_censored():
    table = as_markdown(RUNS, ["mereq", "iwr_ft"])
    # MEReQ: 100 and 200, median 150. IWR at 0.10: 450, and one run that never got there, so it needs more than that.
    assert "| mereq | 2 | 150 (125 to 175) | 1.00 | 150 (125 to 175) | 1.00 | 150 (125 to 175) | 1.00 |" in table
    assert "> 425 (> 412 to > 438) | > 2.83" in table
    assert "| mereq | 90 % | 75 % | 0.5 | 0.000 | 0.000 |" in table
    assert "| prior | 0 % | 25 % | 0.0 | 0.000 | 0.000 |" in table
    assert "| expert | 100 % | 100 % | 1.0 | 0.000 | 0.000 |" in table
    alone = as_markdown(RUNS[:1], ["mereq", "iwr_ft"])
    assert "| expert | 100 % | 100 % | 1.0 | – | – |" in alone, "there is no other expert to compare it with"
    assert "| mereq | 1 | 100 | 1.00 |" in alone, "one run has no spread"


def test_table_says_which_code_made_the_runs():
    runs = [RUNS[0] | {"versions": {"revision": "abc"}}, RUNS[1] | {"versions": {"revision": "abc"}}, RUNS[2]]
    assert "by revision and number of runs: abc (2), not known (1)." in as_markdown(runs, ["mereq", "iwr_ft"])


@pytest.mark.parametrize("actions", ["sampled", "mean"])
def test_every_table_says_which_actions_its_figures_are_of(actions):
    runs = [run | {"actions": actions} for run in RUNS]
    assert {row["actions"] for row in csv.DictReader(io.StringIO(as_csv(runs)))} == {actions}
    tables = as_markdown(runs, ["mereq", "iwr_ft"])
    assert tables.count("|---|---:|") == 2 and tables.count(f"actions {actions}: median over seeds") == 2
    assert f"| {actions} |" in as_search_markdown([("x", runs[0])])
    mixed = as_markdown([runs[0], runs[1] | {"actions": "other"}], ["mereq"])
    assert mixed.count(f"actions {', '.join(sorted((actions, 'other')))}: median") == 2


def test_tables_say_which_runs_learned_nothing():
    unlearned = RUNS[3] | {"status": "nothing_learned"}
    unlearned["evaluation"] = unlearned["evaluation"] | {"aligned": unlearned["evaluation"]["prior"]}
    table = as_markdown([*RUNS[:3], unlearned], ["mereq", "iwr_ft"])
    assert "learned nothing, whose policy is the prior; the tables count them: iwr_ft (seed 1).\n" in table
    assert "| iwr_ft | 2 | " in table and "| iwr_ft | 45 % | " in table, "of 90 and 0 %"
    assert "learned nothing" not in as_markdown(RUNS, ["mereq", "iwr_ft"])
    assert "| 0 %, nothing learned |" in as_search_markdown([("agent.irl.learning_rate=0.02", unlearned)])
    assert list(csv.DictReader(io.StringIO(as_csv([unlearned]))))[-1]["status"] == "nothing_learned"


def test_search_table_has_a_row_a_value():
    table = as_search_markdown([("agent.irl.learning_rate=0.02", RUNS[2])])
    # Prior -50, aligned 40, expert 50: nine tenths of the gap.
    assert "| T | iwr_ft | `agent.irl.learning_rate=0.02` | 0 | sampled | 30, 20, 8 % | 500 | 90 % |" in table


SEARCHED = set(itertools.chain(*(searched(method, 0.01) for method in METHODS)))


@pytest.mark.parametrize("setting", sorted({*SEARCHED, *itertools.chain(*ABLATIONS.values())}))
def test_what_is_searched_or_ablated_is_a_setting_with_a_value_that_it_may_have(setting):
    MEReQCfg.from_dict(OmegaConf.to_container(OmegaConf.from_dotlist([setting]))["agent"])


def test_every_method_has_a_search_of_three_values():
    assert {len(searched(method, 0.01)) for method in METHODS} == {3}
    assert searched("mereq", 0.1) == tuple(f"agent.irl.learning_rate={rate}" for rate in ("0.05", "0.1", "0.2"))


def test_curves_are_dotted_where_most_runs_are_over_and_end_with_the_longest():
    runs = {"iwr_ft": [*RUNS[2:], summary("iwr_ft", 2, [0.3, 0.1], [100, 200])]}
    axis = _curves("T", runs, {"iwr_ft": "C0"}).axes[0]
    (solid, dotted), deltas = axis.lines[:2], axis.lines[2:]
    assert solid.get_xdata()[0] == 0 and solid.get_xdata()[-1] == pytest.approx(400, abs=5), "the second run to end"
    assert dotted.get_xdata()[-1] == 500 and dotted.get_linestyle() != solid.get_linestyle()
    # Of 30, 30, 30 %; then what 100 samples bought: 20, 20 and 10 %; at the end 8, 30 and 10 %.
    rate = dict(zip(solid.get_xdata().round(), solid.get_ydata(), strict=True))
    assert rate[min(rate, key=lambda x: abs(x - 50))] == pytest.approx(30.0)
    assert rate[min(rate, key=lambda x: abs(x - 150))] == pytest.approx(20.0)
    assert dotted.get_ydata()[-1] == pytest.approx(10.0)
    # Of four runs, three have to be over.
    runs["iwr_ft"].append(summary("iwr_ft", 3, [0.3, 0.1], [100, 450]))
    solid = _curves("T", runs, {"iwr_ft": "C0"}).axes[0].lines[0]
    assert solid.get_xdata()[-1] == pytest.approx(450, abs=5)
    assert [line.get_ydata()[0] for line in deltas] == [15.0, 10.0, 5.0]


def test_bars_are_hatched_where_the_median_is_a_bound():
    axis = _bars("T", {"mereq": RUNS[:2], "iwr_ft": RUNS[2:]}, {"mereq": "C0", "iwr_ft": "C1"}).axes[0]
    heights = [[bar.get_height() for bar in container] for container in axis.containers if len(container) == 1]
    hatches = [container[0].get_hatch() for container in axis.containers if len(container) == 1]
    assert heights == [[150], [150], [150], [425], [425], [450]]
    assert hatches == [None] * 3 + ["//"] * 3


def test_every_method_and_ablation_has_a_colour_of_its_own():
    assert len(set(PALETTE)) == len(PALETTE) >= len(METHODS) + len(ABLATIONS)


def test_no_gap_is_no_share_of_one():
    assert math.isnan(gap_closed(1.0, 2.0, 2.0)) and gap_closed(1.0, 0.0, 2.0) == 0.5


def test_plots_are_written_as_png_and_pdf(tmp_path):
    files = write_plots(tmp_path, RUNS, ["mereq", "iwr_ft"])
    assert len(files) == 6
    assert {file.suffix for file in files} == {".png", ".pdf"}
    assert all(file.stat().st_size > 5_000 for file in files)
