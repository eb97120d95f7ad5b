# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Writes the report of a run again: see ``scripts/report.py``."""

from __future__ import annotations

import contextlib
from pathlib import Path

from mereq_algo.records import RunFolder

from ..plain_console import PlainConsole
from ..provenance import command_line
from ..report import write_report
from .film_run import film_run


def report(run: Path, with_video: bool) -> bool:
    """Writes the report of a run, and films it before if asked.

    Returns:
        Whether everything that was asked for is there.

    Raises:
        RunFolderError: There is no run in the folder, or it is damaged.
        RunInUseError: The run is to be filmed, and another process writes to it.
    """
    folder = RunFolder.open(run)
    with folder.lock(command_line()) if with_video else contextlib.nullcontext():
        is_filmed = film_run(folder) if with_video else True
        PlainConsole(soft_wrap=True).print(f"report: {write_report(folder)}", highlight=False)
    return is_filmed
