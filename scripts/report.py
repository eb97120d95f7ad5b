# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Writes the report of a run again: report.html in its folder, one file that opens anywhere.

Examples:
    ./isaaclab.sh -p scripts/report.py logs/mereq/Franka-Erase/<run>
    ./isaaclab.sh -p scripts/report.py logs/mereq/Franka-Erase/<run> --video
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mereq_lab.program import one_line_errors
from mereq_tasks.arguments import check_home


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--video", action="store_true", help="make the comparison video, too (minutes without a GPU)")
    return parser


def main() -> None:
    args = make_parser().parse_args()
    check_home()  # Matplotlib has its fonts there

    from mereq_lab.commands.report import report

    if not report(args.run, args.video):
        sys.exit(2)


if __name__ == "__main__":
    with one_line_errors():
        main()
