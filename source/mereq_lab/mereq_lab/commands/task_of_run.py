# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The task that a run folder names, for command lines that name none."""

from __future__ import annotations

import argparse
from pathlib import Path


def with_task_of_run(argv: list[str]) -> list[str]:
    """Returns the command line with the task of the run folder that it names, if it names one and no task."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--task")
    first.add_argument("--run", type=Path)
    args = first.parse_known_args(argv)[0]
    if args.task is not None or args.run is None or not args.run.is_dir():
        return argv

    from mereq_algo.records import RunFolder  # takes seconds to import, and is seldom needed

    return [*argv, "--task", str(RunFolder.open(args.run).read_summary("task")["task"])]
