# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Writes the report of a run again: report.html in its folder, one file that opens anywhere.

Examples:
    ./isaaclab.sh -p scripts/report.py logs/mereq/Franka-Erase/<run>
    ./isaaclab.sh -p scripts/report.py logs/mereq/Franka-Erase/<run> --video
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from _common import PlainConsole, command_line, one_line_errors
from mereq_tasks.arguments import check_home


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--video", action="store_true", help="make the comparison video, too (minutes without a GPU)")
    args = parser.parse_args()
    check_home()  # Matplotlib has its fonts there

    from _film import film_run
    from mereq_algo.report import write_report
    from mereq_algo.runner import RunFolder

    folder = RunFolder.open(args.run)
    with folder.lock(command_line()) if args.video else contextlib.nullcontext():
        filmed = film_run(folder) if args.video else True
        PlainConsole(soft_wrap=True).print(f"report: {write_report(folder)}", highlight=False)
    if not filmed:
        sys.exit(2)


if __name__ == "__main__":
    with one_line_errors():
        main()
