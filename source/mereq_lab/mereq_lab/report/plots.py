# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Plots of a run as SVG that takes its colour and its font from the page around it."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter

POLICY_COLOURS = {"prior": "#8a8f98", "aligned": "#2f7ed8", "expert": "#e67e00"}
"""Readable on white and on black, and for all kinds of colour vision."""

SERIES_COLOURS = ("#2f7ed8", "#e67e00", "#1a9e6c", "#c2528b", "#8a6fd1", "#8a8f98")
"""One a feature, in their order."""

_TEXT = "#010203"
"""Stands for the colour of the page's text until the picture is in the page."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be read out, found and copied
    "text.color": _TEXT,
    "axes.edgecolor": _TEXT,
    "axes.labelcolor": _TEXT,
    "xtick.color": _TEXT,
    "ytick.color": _TEXT,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "legend.frameon": False,
}

_SIZE = (4.6, 3.0)
"""Inches at 72 px an inch: as wide as a phone, so that type is not made smaller there."""


def _svg(name: str, title: str, draw: Callable[[Axes], None]) -> str:
    """Draw one plot and return it as an element of a page.

    Args:
        name: Told apart from the page's other plots by it; letters, digits and hyphens.
        title: What a screen reader says.
        draw: Fills the axes.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name, "text.parse_math": False}):
        figure, axes = plt.subplots(figsize=_SIZE, layout="constrained")
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_TEXT, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Names of clip paths and glyphs hold for the whole page, so each plot gets its own.
    text = re.sub(r'(id="|url\(#|href="#)', lambda found: f"{found[1]}{name}-", text)
    text = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font-size: \1", text)  # the family is the page's
    return re.sub(
        r'<svg [^>]*viewBox="([^"]*)"[^>]*>',
        lambda found: f'<svg viewBox="{found[1]}" role="img" aria-label="{html.escape(title)}">',
        text,
        count=1,
    )


def intervention_plot(summary: Mapping[str, Any]) -> str:
    """Draw the intervention rate and its bound against expert samples."""

    def draw(axes: Axes) -> None:
        samples = summary["expert_samples"]
        rate = 100 * np.array(summary["intervention_rate"], dtype=float)
        upper = 100 * np.array(summary["intervention_rate_upper"], dtype=float)
        axes.fill_between(
            samples,
            rate,
            upper,
            color="#2f7ed8",
            alpha=0.18,
            linewidth=0,
            label=f"up to its {100 * summary['confidence']:g} % bound",
        )
        axes.plot(samples, rate, "o-", color="#2f7ed8", label="intervention rate")
        goal = 100 * summary["threshold"]
        axes.axhline(goal, color="#1a9e6c", linestyle="--", linewidth=1.2, label=f"goal: bound below {goal:g} %")
        axes.set(xlabel="expert samples so far [steps]", ylabel="intervention rate [%]", xlim=(0, None), ylim=(0, 100))
        axes.legend(fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))

    return _svg("rate", "Intervention rate against expert samples", draw)


def theta_plot(summary: Mapping[str, Any]) -> str:
    """Draw θ after each round that was learned from, and θ* where it is known."""

    def draw(axes: Axes) -> None:
        history = summary["theta_history"]
        rounds = range(len(history) + 1)
        names = summary["feature_names"]
        for name, colour in zip(names, _colours(len(names)), strict=True):
            values = [0.0, *(theta[name] for theta in history)]
            axes.plot(rounds, values, "o-", color=colour, label=name.replace("_", " "), markersize=4)
            if name in summary["theta_star"]:
                axes.axhline(summary["theta_star"][name], color=colour, linestyle=":", linewidth=1.2)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="rounds learned from", ylabel="weight in reward a step")
        axes.legend(fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.22))

    return _svg("theta", "Weights of the features over rounds", draw)


def feature_plots(evaluation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Draw how often each value of each feature occurs. Returns names and pictures."""
    names = next(iter(evaluation.values()))["histograms"]
    return [(name, _feature_plot(evaluation, name, number)) for number, name in enumerate(names)]


def _feature_plot(evaluation: Mapping[str, Any], name: str, number: int) -> str:
    def draw(axes: Axes) -> None:
        for policy in evaluation:
            colour = POLICY_COLOURS[policy]
            counts = np.array(evaluation[policy]["histograms"][name], dtype=float)
            share, edges = 100 * counts / counts.sum(), np.linspace(0, 1, len(counts) + 1)
            if policy == "prior":
                axes.stairs(share, edges, color=colour, label=policy, fill=True, alpha=0.35)
            else:
                axes.stairs(share, edges, color=colour, label=policy, linewidth=1.6)
        axes.set(xlabel=name.replace("_", " "), ylabel="share of steps [%]", yscale="log", xlim=(0, 1))
        # Its own labels are mathematical type, which is off: names of features are not.
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.legend(fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))

    return _svg(f"feature-{number}", f"Distribution of {name}", draw)


def _colours(count: int) -> Sequence[str]:
    return [SERIES_COLOURS[index % len(SERIES_COLOURS)] for index in range(count)]
