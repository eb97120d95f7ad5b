# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a benchmark leaves: one row a round as CSV, and the paper's table as Markdown."""

from __future__ import annotations

import csv
import io
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from mereq_algo.records.outcome import NOTHING_LEARNED
from mereq_algo.records.run_folder import of_a_run

from .measures import (
    THRESHOLDS,
    SampleCount,
    actions_of,
    divergence,
    gap_closed,
    quartiles,
    round_rows,
    sample_counts,
)


def check_figures(logs: Path, summaries: Iterable[dict[str, Any]], is_search: bool = False) -> None:
    """Refuse runs whose figures no table can be made of, before one of all of them is begun.

    Args:
        logs: Where run folders are.
        summaries: Of finished runs.
        is_search: Whether the table is that of a search.

    Raises:
        RunFolderError: A summary is not what a run writes.
    """
    for summary in summaries:
        task, method, seed = (str(summary.get(name)) for name in ("task", "method", "seed"))
        with of_a_run(logs / task / f"*_{method}_seed{seed}*" / "summary.json"):
            if is_search:
                as_search_markdown([("", summary)])
                continue
            as_csv([summary])
            as_markdown([summary], [summary["method"]])


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
        parts += [
            f"## {task}",
            "",
            *_sample_table(runs),
            "",
            *_quality_table(runs),
            "",
            *_unlearned(runs),
            _code_of(runs),
            "",
        ]
    return "\n".join(parts)


def as_search_markdown(runs: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Return ``search.md``: what each value of a method's main knob came to.

    Args:
        runs: Setting and summary of each run.
    """
    lines = [
        "| task | method | setting | seed | actions | intervention rate, round by round | expert samples"
        " | gap closed |",
        "|---|---|---|---:|---|---|---:|---:|",
    ]
    for setting, run in runs:
        rates = ", ".join(f"{100 * rate:.0f}" for rate in run["rollout_intervention_rate"])
        cells = (run["task"], run["method"], f"`{setting}`", run["seed"], actions_of(run), f"{rates} %")
        gap = f"{100 * _final_gap(run):.0f} %" + (", nothing learned" if run["status"] == NOTHING_LEARNED else "")
        cells = (*cells, run["expert_samples"][-1], gap)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, ""])


def _sample_table(runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return expert samples until the intervention rate stays below δ."""
    counts = {method: {delta: sample_counts(found, delta) for delta in THRESHOLDS} for method, found in runs.items()}
    actions = ", ".join(sorted({actions_of(run) for found in runs.values() for run in found}))
    lines = [
        f"Expert samples until the intervention rate stays below δ, actions {actions}: median over seeds (interquartile"
        " range), and the ratio of the median to MEReQ's. A run that never got there (censored) would have needed more"
        " than it had, and `>` marks what is at least so many because of one.",
        "",
        "| method | seeds | " + " | ".join(f"δ = {delta:.2f} | ratio" for delta in THRESHOLDS) + " |",
        "|---|---:|" + "---:|---:|" * len(THRESHOLDS),
    ]
    for method, by_delta in counts.items():
        cells = []
        for delta in THRESHOLDS:
            found = quartiles(by_delta[delta])
            reference = quartiles(counts["mereq"][delta]).median if "mereq" in counts else None
            spread = f" ({found.low} to {found.high})" if len(runs[method]) > 1 else ""
            cells += [f"{found.median}{spread}", _ratio(found.median, reference)]
        lines.append(f"| {method} | {len(runs[method])} | " + " | ".join(cells) + " |")
    return lines


def _ratio(count: SampleCount, reference: SampleCount | None) -> str:
    """Return how many times the reference's samples it took, as far as censoring lets that be known."""
    if reference is None or reference.censored or reference.samples == 0:
        return "–"
    return f"{'> ' if count.censored else ''}{count.samples / reference.samples:.2f}"


def _quality_table(runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return how good the last policies are, and beside them prior and expert, which tell what that is worth."""
    reference = next(iter(runs.values()))
    features = list(reference[0]["evaluation"]["expert"]["histograms"])
    actions = ", ".join(sorted({actions_of(run) for found in runs.values() for run in found}))
    lines = [
        f"The last policy of each run over whole episodes, actions {actions}: median over seeds. The last columns are"
        " the Jensen-Shannon divergence of a feature's distribution from the expert's, in bits; the expert's own"
        " is that from another seed's expert, below which nothing can be told.",
        "",
        "| method | gap in expert return closed | success | prior's own return lost | "
        + " | ".join(f"`{name}`" for name in features)
        + " |",
        "|---|---:|---:|---:|" + "---:|" * len(features),
    ]
    rows = {method: (found, "aligned") for method, found in runs.items()}
    rows |= {policy: (reference, policy) for policy in ("prior", "expert")}
    for name, (found, policy) in rows.items():
        evaluations = [run["evaluation"] for run in found]
        lost = [_own_return(evaluation, "prior") - _own_return(evaluation, policy) for evaluation in evaluations]
        experts = [evaluation["expert"]["histograms"] for evaluation in evaluations]
        if policy == "expert":
            divergences = [divergence(*pair) for pair in itertools.combinations(experts, 2)]
        else:
            own = [evaluation[policy]["histograms"] for evaluation in evaluations]
            divergences = [divergence(*pair) for pair in zip(own, experts, strict=True)]
        cells = [
            f"{100 * median(_final_gap(run, policy) for run in found):.0f} %",
            f"{100 * median(evaluation[policy]['success_rate']['mean'] for evaluation in evaluations):.0f} %",
            f"{median(lost):.1f}",
            *(f"{median(values[name] for values in divergences):.3f}" if divergences else "–" for name in features),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _unlearned(runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return which runs have learned nothing: what the tables say of their policies is the prior's."""
    names = [
        f"{method} (seed {run['seed']})"
        for method, found in runs.items()
        for run in found
        if run["status"] == NOTHING_LEARNED
    ]
    if not names:
        return []
    return [f"Runs that learned nothing, whose policy is the prior; the tables count them: {', '.join(names)}.", ""]


def _code_of(runs: dict[str, list[dict[str, Any]]]) -> str:
    """Return which code made the runs: those that are finished count as such whatever has changed since."""
    revisions = (run.get("versions", {}).get("revision", "not known") for run in itertools.chain(*runs.values()))
    counts = ", ".join(f"{revision} ({number})" for revision, number in Counter(revisions).most_common())
    return f"Code that made them, by revision and number of runs: {counts}."


def _final_gap(run: dict[str, Any], policy: str = "aligned") -> float:
    """Return how much of the gap in the person's reward a policy has closed at the end."""
    returns = [run["evaluation"][name]["return_expert_reward"]["mean"] for name in (policy, "prior", "expert")]
    return gap_closed(*returns)


def _own_return(evaluation: dict[str, Any], policy: str) -> float:
    """Return what a policy makes of the reward that the prior was trained for."""
    return evaluation[policy]["return_prior_reward"]["mean"]
