# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How methods of alignment are judged, from the ``summary.json`` of their runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import jensenshannon

from mereq_algo.records.evaluation_table import SAMPLED

THRESHOLDS = (0.15, 0.10, 0.05)
"""δ of the intervention rate. Source: paper."""

NEVER = 1e12
"""More samples than anybody will ever show."""


@dataclass(frozen=True)
class SampleCount:
    """Expert samples until the intervention rate stays below a threshold."""

    samples: int
    """Where ``censored``, all that the run had: the true number is larger."""

    censored: bool = False

    def __str__(self) -> str:
        """Return the number, with > before one that is censored."""
        return f"> {self.samples}" if self.censored else str(self.samples)


def samples_to_threshold(rates: Sequence[float], expert_samples: Sequence[int], threshold: float) -> SampleCount:
    """Count what the person had to show before they were left in peace.

    A policy is what was learned *before* its round of supervision, so a round that is below the threshold, like all
    that follow, cost the samples of the rounds before it.

    Args:
        rates: Intervention rate of each round.
        expert_samples: Steps that the person controlled up to the end of each round.
        threshold: δ.

    Returns:
        The count; censored where the last round is not below δ.
    """
    if not rates or rates[-1] >= threshold:
        return SampleCount(expert_samples[-1] if expert_samples else 0, censored=True)
    last_above = max((index for index, rate in enumerate(rates) if rate >= threshold), default=-1)
    return SampleCount(0 if last_above < 0 else expert_samples[last_above])


def sample_counts(runs: Sequence[dict[str, Any]], threshold: float) -> list[SampleCount]:
    """Return :func:`samples_to_threshold` of each run, by the rate with all robots that could be watched."""
    return [samples_to_threshold(run["rollout_intervention_rate"], run["expert_samples"], threshold) for run in runs]


@dataclass(frozen=True)
class Quartiles:
    """Quartiles of sample counts; censored where a censored run takes part: what the true one is at least, then."""

    low: SampleCount
    median: SampleCount
    high: SampleCount


def quartiles(counts: Sequence[SampleCount]) -> Quartiles:
    """Return the quartiles of what runs needed.

    A censored run would have needed more than it had, nobody knows how many. So a quartile is between the one where it
    took what it had, and the one where it never gets there; where they are the same it is known.
    """
    at_least = [count.samples for count in counts]
    at_most = [NEVER if count.censored else count.samples for count in counts]
    found = []
    for share in (0.25, 0.5, 0.75):
        low, high = (np.quantile(samples, share) for samples in (at_least, at_most))
        found.append(SampleCount(round(float(low)), censored=bool(low != high)))
    return Quartiles(*found)


def divergence(found: dict[str, list[int]], wanted: dict[str, list[int]]) -> dict[str, float]:
    """Return the Jensen-Shannon divergence of each feature's distribution over steps from another one.

    Args:
        found: Histograms by feature name.
        wanted: Those that they are compared with.

    Returns:
        Divergence in bits, from 0 to 1, by feature name.
    """
    return {name: float(jensenshannon(found[name], wanted[name], base=2.0)) ** 2 for name in wanted}


def gap_closed(value: float, prior: float, expert: float) -> float:
    """Return the closed share of the gap between prior and expert, in percent of 1; NaN where there is no gap."""
    return (value - prior) / (expert - prior) if expert != prior else math.nan


def actions_of(summary: dict[str, Any]) -> str:
    """Return which actions the figures of a run are of: ``sampled`` or ``mean``.

    Runs of earlier versions do not say it; they sampled, as all do.
    """
    return summary.get("actions", SAMPLED)


def round_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each round of a run: the rows of ``benchmark.csv``.

    The intervention rate is that with all robots that could be watched, fifty as a rule. What the person saw of it,
    often one robot alone, is beside it, with the bound by which they are content: so few would say more of luck than of
    the method. Success, return and what is lost of the prior's own are of the robots that ran alone in the round, and
    the wall time is that at the end of its supervision, before anything is learned from it.
    """
    expert_return, prior_return = (
        summary["evaluation"][policy]["return_expert_reward"]["mean"] for policy in ("expert", "prior")
    )
    own_return = summary["evaluation"]["prior"]["return_prior_reward"]["mean"]
    num_rounds = summary["rounds"]
    seconds = summary["round_wall_time_s"]
    return [
        {
            "task": summary["task"],
            "method": summary["method"],
            "seed": summary["seed"],
            "round": index + 1,
            "actions": actions_of(summary),
            "expert_samples": summary["expert_samples"][index],
            "intervention_rate": summary["rollout_intervention_rate"][index],
            "intervention_rate_upper": summary["rollout_intervention_rate_upper"][index],
            "watched_intervention_rate": summary["intervention_rate"][index],
            "watched_intervention_rate_upper": summary["intervention_rate_upper"][index],
            "return_gap_closed": gap_closed(
                summary["rollout_return_expert_reward"][index], prior_return, expert_return
            ),
            "success_rate": summary["rollout_success_rate"][index],
            "prior_return_lost": own_return - summary["rollout_return_prior_reward"][index],
            "wall_time_s": seconds[index],
            "status": summary["status"] if index + 1 == num_rounds else "",
        }
        for index in range(num_rounds)
    ]
