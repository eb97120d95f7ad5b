# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The comparison of methods: measures, table and plots, all from the ``summary.json`` of runs.

And the comparison of engines: how many steps of an environment a second.
"""

from .jobs import ABLATIONS, Job, JobError, finished_runs, run_jobs, searched
from .measures import (
    THRESHOLDS,
    SampleCount,
    divergence,
    gap_closed,
    quartiles,
    round_rows,
    samples_to_threshold,
)
from .plots import write_plots
from .report import as_csv, as_markdown, as_search_markdown, check_figures
from .speed import Speed, measure_stepping, plot_speeds, speeds_as_csv, speeds_as_markdown
from .training_speed import SHARES, TrainingSpeed

__all__ = [
    "ABLATIONS",
    "SHARES",
    "THRESHOLDS",
    "Job",
    "JobError",
    "SampleCount",
    "Speed",
    "TrainingSpeed",
    "as_csv",
    "as_markdown",
    "as_search_markdown",
    "check_figures",
    "divergence",
    "finished_runs",
    "gap_closed",
    "measure_stepping",
    "plot_speeds",
    "quartiles",
    "round_rows",
    "run_jobs",
    "samples_to_threshold",
    "searched",
    "speeds_as_csv",
    "speeds_as_markdown",
    "write_plots",
]
