# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Plots of a benchmark, as PNG and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from .figures import write_figure
from .measures import THRESHOLDS, quartiles, sample_counts

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

PALETTE = (*matplotlib.colormaps["tab10"].colors, *matplotlib.colormaps["Dark2"].colors)  # type: ignore[attr-defined]
"""As many colours as there are methods and ablations, and more: matplotlib's own cycle repeats after ten."""


def write_plots(folder: Path, summaries: Sequence[dict[str, Any]], methods: Sequence[str]) -> list[Path]:
    """Draw all plots of a benchmark.

    Args:
        folder: Where they go.
        summaries: Of all runs.
        methods: Their order, which is also that of their colours.

    Returns:
        The files.

    Raises:
        WriteError: One cannot be written.
    """
    files = []
    for task in sorted({summary["task"] for summary in summaries}):
        runs = {
            method: [summary for summary in summaries if (summary["task"], summary["method"]) == (task, method)]
            for method in methods
        }
        colours = dict(zip(methods, PALETTE, strict=False))
        runs = {method: found for method, found in runs.items() if found}
        for name, figure in (
            ("intervention_rate", _curves(task, runs, colours)),
            ("samples", _bars(task, runs, colours)),
            ("features", _histograms(task, runs)),
        ):
            for kind in ("png", "pdf"):
                file = folder / f"{task}_{name}.{kind}"
                write_figure(figure, file)
                files.append(file)
            plt.close(figure)
    return files


def _curves(task: str, runs: dict[str, list[dict[str, Any]]], colours: dict[str, Any]) -> Figure:
    """Draw the intervention rate against expert samples: the median over seeds, and between which it varied.

    A run has points where its rounds ended, elsewhere its rate is that of the round before, and after its end the last
    one. Where more than half of the runs are over the median is dotted and has no band; with the longest run it ends.
    """
    figure, axis = plt.subplots(figsize=(7, 4.5))
    most = max(run["expert_samples"][-1] for found in runs.values() for run in found)
    for method, found in runs.items():
        ends = sorted(run["expert_samples"][-1] for run in found)
        grid = np.linspace(0, ends[-1], 200)
        rates = np.array([_rate_at(grid, run) for run in found])
        middle, is_most = 100 * np.median(rates, axis=0), grid <= ends[len(ends) // 2]
        axis.plot(grid[is_most], middle[is_most], color=colours[method], label=method)
        axis.plot(grid[~is_most], middle[~is_most], color=colours[method], linestyle=(0, (1, 2)))
        low, high = 100 * rates.min(axis=0)[is_most], 100 * rates.max(axis=0)[is_most]
        axis.fill_between(grid[is_most], low, high, color=colours[method], alpha=0.15, linewidth=0)
    for delta in THRESHOLDS:
        axis.axhline(100 * delta, color="0.6", linewidth=0.8, linestyle=":")
    axis.set(xlabel="expert samples [steps]", ylabel="intervention rate [%]", xlim=(0, most), ylim=(0, 100))
    axis.set_title(
        f"{task}: median over seeds, dotted where most runs are over;\nbands from the lowest to the highest",
        fontsize=10,
    )
    axis.legend(frameon=False)
    return figure


def _rate_at(grid: np.ndarray, run: dict[str, Any]) -> np.ndarray:
    """Return the rate of the policy that a number of samples had bought; the last one from there on."""
    bought = np.array([0, *run["expert_samples"][:-1]])
    index = np.searchsorted(bought, grid, side="right") - 1
    return np.array(run["rollout_intervention_rate"])[index]


def _bars(task: str, runs: dict[str, list[dict[str, Any]]], colours: dict[str, Any]) -> Figure:
    """Draw samples to δ; hatched where the median is censored, and an arrow where the quartile is: lower bounds."""
    figure, axis = plt.subplots(figsize=(7, 4.5))
    width = 0.8 / len(runs)
    for index, (method, found) in enumerate(runs.items()):
        for place, delta in enumerate(THRESHOLDS):
            count = quartiles(sample_counts(found, delta))
            x = place + (index - (len(runs) - 1) / 2) * width
            axis.bar(
                x,
                count.median.samples,
                width=0.9 * width,
                color=colours[method],
                hatch="//" if count.median.censored else None,
                edgecolor="white",
                label=method if place == 0 else None,
            )
            axis.vlines(x, count.low.samples, count.high.samples, color="black", linewidth=0.8)
            if count.high.censored:
                axis.plot(x, count.high.samples, marker="^", markersize=4, color="black")
    axis.set_xticks(range(len(THRESHOLDS)), [f"δ = {delta:.2f}" for delta in THRESHOLDS])
    axis.set(ylabel="expert samples [steps]")
    axis.set_title(
        f"{task}: samples until the intervention rate stays below δ\n"
        "median and quartiles; hatched, or with an arrow: at least so many",
        fontsize=10,
    )
    axis.set_ylim(0, 1.25 * axis.get_ylim()[1])  # room for the legend above the bars
    axis.legend(frameon=False, ncols=3, loc="upper left")
    return figure


def _histograms(task: str, runs: dict[str, list[dict[str, Any]]]) -> Figure:
    """Draw the distribution of each feature under prior, MEReQ's policy and expert, all seeds together."""
    found = runs.get("mereq") or next(iter(runs.values()))
    names = list(found[0]["evaluation"]["expert"]["histograms"])
    figure, axes = plt.subplots(1, len(names), figsize=(3 * len(names), 2.8), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        for policy, colour in (("prior", "0.6"), ("aligned", "C0"), ("expert", "C1")):
            counts = np.sum([run["evaluation"][policy]["histograms"][name] for run in found], axis=0)
            axis.stairs(counts / counts.sum(), np.linspace(0, 1, len(counts) + 1), color=colour, label=policy)
        axis.set(title=name, yscale="log", xlim=(0, 1))
    axes[0][0].set_ylabel("share of steps")
    axes[0][-1].legend(frameon=False)
    figure.suptitle(f"{task}: features a step, method {found[0]['method']}", fontsize=10)
    figure.tight_layout()
    return figure
