# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a benchmark leaves: one row a round as CSV, and the paper's table as Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from .measures import (
    THRESHOLDS,
    SampleCount,
    divergence_from_expert,
    gap_closed,
    median_count,
    quartiles,
    round_rows,
    sample_counts,
)


def as_csv(summaries: Iterable[dict[str, Any]]) -> str:
    """Return ``benchmark.csv``: a row a task, method, seed and round."""
    rows = [row for summary in summaries for row in round_rows(summary)]
    output = io.StringIO()
    writer = csv.DictWriter(output, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return output.getvalue()


def as_markdown(summaries: Sequence[dict[str, Any]], methods: Sequence[str]) -> str:
    """Return ``benchmark.md``: for each task a table of expert samples, and one of how good the policies are."""
    parts = []
    for task in sorted({summary["task"] for summary in summaries}):
        runs = {
            method: [summary for summary in summaries if (summary["task"], summary["method"]) == (task, method)]
            for method in methods
        }
        runs = {method: found for method, found in runs.items() if found}
        parts += [f"## {task}", "", *_sample_table(runs), "", *_quality_table(runs), ""]
    return "\n".join(parts)


def as_search_markdown(runs: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Return ``search.md``: what each value of a method's main knob came to.

    Args:
        runs: Setting and summary of each run.
    """
    lines = [
        "| task | method | setting | seed | intervention rate, round by round | expert samples | gap closed |",
        "|---|---|---|---:|---|---:|---:|",
    ]
    for setting, run in runs:
        rates = ", ".join(f"{100 * rate:.0f}" for rate in run["rollout_intervention_rate"])
        cells = (run["task"], run["method"], f"`{setting}`", run["seed"], f"{rates} %", run["expert_samples"][-1])
        lines.append("| " + " | ".join(map(str, cells)) + f" | {100 * _final_gap(run):.0f} % |")
    return "\n".join([*lines, ""])


def _sample_table(runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return expert samples until the intervention rate stays below δ."""
    counts = {method: {delta: sample_counts(found, delta) for delta in THRESHOLDS} for method, found in runs.items()}
    lines = [
        "Expert samples until the intervention rate stays below δ: median over seeds (interquartile range), and the"
        " ratio of the median to MEReQ's. `>` marks a median that includes a run which never got there (censored); in"
        " quartiles such a run counts with the samples that it had.",
        "",
        "| method | seeds | " + " | ".join(f"δ = {delta:.2f} | ratio" for delta in THRESHOLDS) + " |",
        "|---|---:|" + "---:|---:|" * len(THRESHOLDS),
    ]
    for method, by_delta in counts.items():
        cells = []
        for delta in THRESHOLDS:
            low, high = quartiles(by_delta[delta])
            count = median_count(by_delta[delta])
            reference = median_count(counts["mereq"][delta]) if "mereq" in counts else None
            cells += [f"{count} ({low:.0f} to {high:.0f})", _ratio(count, reference)]
        lines.append(f"| {method} | {len(runs[method])} | " + " | ".join(cells) + " |")
    return lines


def _ratio(count: SampleCount, reference: SampleCount | None) -> str:
    """Return how many times the reference's samples it took, as far as censoring lets that be known."""
    if reference is None or reference.censored or reference.samples == 0:
        return "–"
    return f"{'> ' if count.censored else ''}{count.samples / reference.samples:.2f}"


def _quality_table(runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return how good the last policies are."""
    features = list(next(iter(runs.values()))[0]["evaluation"]["expert"]["histograms"])
    lines = [
        "The last policy of each run over whole episodes: median over seeds. The last columns are the Jensen-Shannon"
        " divergence of a feature's distribution from the expert's, in bits.",
        "",
        "| method | gap in expert return closed | success | prior's own return lost | "
        + " | ".join(f"`{name}`" for name in features)
        + " |",
        "|---|---:|---:|---:|" + "---:|" * len(features),
    ]
    for method, found in runs.items():
        lost = [
            run["evaluation"]["prior"]["return_prior_reward"]["mean"]
            - run["evaluation"]["aligned"]["return_prior_reward"]["mean"]
            for run in found
        ]
        divergences = [divergence_from_expert(run["evaluation"]) for run in found]
        cells = [
            f"{100 * median(_final_gap(run) for run in found):.0f} %",
            f"{100 * median(run['success_rate'] for run in found):.0f} %",
            f"{median(lost):.1f}",
            *(f"{median(divergence[name] for divergence in divergences):.3f}" for name in features),
        ]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def _final_gap(run: dict[str, Any]) -> float:
    prior, aligned, expert = (
        run["evaluation"][policy]["return_expert_reward"]["mean"] for policy in ("prior", "aligned", "expert")
    )
    return gap_closed(aligned, prior, expert)
