# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Writes ``report.html``: everything that a run has come to, in one file that needs nothing else."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError

from mereq_algo.atomic_write import write_text
from mereq_algo.records.evaluation_table import evaluation_rows
from mereq_algo.records.run_folder import RunFolder, RunFolderError, of_a_run

from ..plain_text import plain
from .plots import feature_plots, intervention_plot, theta_plot

VIDEO = Path("video") / "comparison.mp4"
"""Where a run keeps its video, in its folder."""

POSTER = Path("video") / "still_1.png"
"""What is shown of the video before it plays."""


LEARNED = {
    "mereq": "From this supervision a residual reward was inferred and the policy customised",
    "mereq_np": "From these corrections alone a residual reward was inferred and the policy customised",
    "maxent": "From what was seen a whole reward was inferred, and a policy learned it from nothing",
    "maxent_ft": "From what was seen a whole reward was inferred, and the policy went on learning with it",
    "hg_dagger_ft": "The policy was trained to do what the person did",
    "iwr_ft": "The policy was trained to do what both did, the person's steps weighing half",
}
"""What a method made of what the person showed."""

WATCHED = {
    "synthetic": "A synthetic person watched it, took over where it did not act as they like, and gave back.",
    "live": "Somebody watched it in a browser, took over where it did not act as they like, and gave back.",
    "recorded": "Recorded episodes show where a person took over, and what they did.",
}
"""Who supervised."""

NOT_NOTED: dict[str, Any] = {
    **{"person": "synthetic", "theta_star": {}, "texts": {}, "versions": {}, "hardware": {}},
    **{"command": "", "confidence": 0.95},
}
"""What runs of earlier versions did not note."""

NO_TEXTS: dict[str, Any] = {"goal": "", "wish": "", "features": {}, "step_s": None}


def write_report(folder: RunFolder) -> Path:
    """Write the report of a run, complete or not.

    Args:
        folder: The run; its video is taken along if there is one.

    Returns:
        The page.

    Raises:
        RunFolderError: The folder is damaged.
    """
    path = folder.path / "report.html"
    settings = folder.read_settings()
    with of_a_run(folder.summary_file):
        try:
            page = _page(folder, printable(NOT_NOTED | folder.read_summary()), printable(settings))
        except UndefinedError as error:
            raise KeyError(str(error)) from error
    write_text(path, page)
    return path


def printable(values: Any) -> Any:
    """Return values with every text in them, keys included, made :func:`~mereq_lab.plain_text.plain`."""
    if isinstance(values, dict):
        return {plain(key): printable(value) for key, value in values.items()}
    if isinstance(values, list):
        return [printable(value) for value in values]
    return plain(values) if isinstance(values, str) else values


def _page(folder: RunFolder, summary: dict[str, Any], settings: list[str]) -> str:
    summary["texts"] = NO_TEXTS | summary["texts"]
    environment = Environment(
        loader=PackageLoader("mereq_lab.report", ""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("report.html.j2").render(
        run=summary,
        name=plain(folder.path.name),
        made=time.strftime("%Y-%m-%d"),
        watched=WATCHED[summary["person"]],
        learned=LEARNED[summary["method"]],
        settings=settings,
        texts=summary["texts"],
        video=_embedded(folder.path / VIDEO, "video/mp4"),
        poster=_embedded(folder.path / POSTER, "image/png"),
        **_plots(summary),
        **_tables(summary),
    )


def _plots(summary: dict[str, Any]) -> dict[str, Any]:
    return {
        "rate_plot": intervention_plot(summary) if summary["rounds"] else None,
        "theta_plot": theta_plot(summary) if summary["theta_history"] else None,
        "feature_plots": feature_plots(summary["evaluation"]) if summary["evaluation"] else [],
    }


def _tables(summary: dict[str, Any]) -> dict[str, Any]:
    figures, features = evaluation_rows(summary["evaluation"]) if summary["evaluation"] else ([], [])
    expectation = summary["feature_expectation"]
    weights = [
        {
            "name": name,
            "theta": summary["theta"][name],
            "theta_star": summary["theta_star"].get(name),
            "text": summary["texts"]["features"].get(name),
            "expectation": [expectation.get(whose, {}).get(name) for whose in ("prior", "target", "learner")],
        }
        for name in summary["feature_names"]
    ]
    return {"figures": figures, "features": features, "weights": weights}


def _embedded(file: Path, kind: str) -> str | None:
    if not file.is_file():
        return None
    try:
        content = base64.b64encode(file.read_bytes())
    except OSError as error:
        raise RunFolderError(f"run folder is damaged: {file} ({error.strerror})") from error
    return f"data:{kind};base64,{content.decode('ascii')}"
