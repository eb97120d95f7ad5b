# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Figures of a policy over whole episodes, and the rows of a table of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

NUM_BINS = 50
"""Parts of [0, 1] in which the values of a feature are counted."""


SAMPLED, MEAN = "sampled", "mean"
"""Actions that a policy can take: drawn from its distribution, as it learns, or their mean, as on the arm."""


@dataclass
class Estimate:
    """Mean over episodes, and its standard error."""

    mean: float
    stderr: float

    @staticmethod
    def of(values: torch.Tensor) -> Estimate:
        """Summarise one number for each episode. Shape: (num_episodes,)."""
        values = values.double()
        spread = float(values.std()) if len(values) > 1 else math.nan
        return Estimate(float(values.mean()), spread / math.sqrt(len(values)))


@dataclass
class Evaluation:
    """Figures of a policy over whole episodes."""

    episodes: int
    return_prior_reward: Estimate
    """Undiscounted return of the task's own reward r."""

    return_expert_reward: Estimate
    """Undiscounted return of r + θ*ᵀf."""

    features: dict[str, Estimate]
    """Mean of each feature a step."""

    metrics: dict[str, Estimate]
    """The task's own figures at the end of the episode, success among them."""

    histograms: dict[str, list[int]]
    """Number of steps with the feature in each of :data:`NUM_BINS` equal parts of [0, 1]."""

    num_broken: int = 0
    """Episodes that ended because physics broke; they are counted here and nowhere else."""

    actions: str = SAMPLED
    """Which actions the policy took: :data:`SAMPLED` or :data:`MEAN`."""

    @property
    def success_rate(self) -> Estimate:
        """Share of successful episodes."""
        return self.metrics["success"]

    def feature_means(self) -> torch.Tensor:
        """Return the mean features a step. Shape: (num_features,)."""
        return torch.tensor([estimate.mean for estimate in self.features.values()])

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, each estimate as ``{"mean", "stderr"}``."""

        def plain(estimate: Estimate) -> dict[str, float]:
            return {"mean": estimate.mean, "stderr": estimate.stderr}

        return {
            "episodes": self.episodes,
            "actions": self.actions,
            "success_rate": plain(self.success_rate),
            "return_prior_reward": plain(self.return_prior_reward),
            "return_expert_reward": plain(self.return_expert_reward),
            "features": {name: plain(estimate) for name, estimate in self.features.items()},
            **{name: plain(estimate) for name, estimate in self.metrics.items() if name != "success"},
            "histograms": self.histograms,
            "num_broken": self.num_broken,
        }


TableRow = tuple[str, list[str]]
"""A label, and a cell for each policy."""


def evaluation_rows(evaluations: dict[str, dict[str, Any]]) -> tuple[list[TableRow], list[TableRow]]:
    """Return the figures of several policies as rows of a table.

    Args:
        evaluations: By policy name, as :meth:`Evaluation.as_dict` gives them.

    Returns:
        Rows of the task's own figures (a share, or metres where the name ends with ``_m``) and of returns, and rows of
        the features.
    """
    results = list(evaluations.values())
    known = {"actions", "episodes", "features", "histograms", "num_broken", "success_rate"}
    known |= {"return_prior_reward", "return_expert_reward"}
    metrics = [name for name in results[0] if name not in known]

    def row(label: str, cells: list[dict[str, float | None]], percent: bool = False) -> TableRow:
        return label, [_cell(cell["mean"], cell["stderr"], percent) for cell in cells]

    def metric_row(name: str) -> TableRow:
        cells = [result[name] for result in results]
        if name.endswith("_m"):
            return row(f"{name.removesuffix('_m').replace('_', ' ')} [m]", cells)
        return row(name.replace("_", " "), cells, percent=True)

    figures = [
        row("success", [result["success_rate"] for result in results], percent=True),
        *map(metric_row, metrics),
        row("return, prior's reward", [result["return_prior_reward"] for result in results]),
        row("return, person's reward", [result["return_expert_reward"] for result in results]),
    ]
    features = [row(name, [result["features"][name] for result in results]) for name in results[0]["features"]]
    return figures, features


def _cell(mean: float | None, stderr: float | None, percent: bool) -> str:
    """Return an estimate as text; one of too few episodes has no error, or no mean either."""
    scale, unit, digits = (100.0, " %", 1) if percent else (1.0, "", 3)
    known = [f"{scale * value:.{digits}f}" for value in (mean, stderr) if value is not None and math.isfinite(value)]
    return " ± ".join(known) + unit if known else "–"
