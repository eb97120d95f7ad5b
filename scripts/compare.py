# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Films policies side by side, in the same initial states: an mp4, an animated picture and stills.

Examples:
    ./isaaclab.sh -p scripts/compare.py --task Franka-Erase --policies prior expert
    ./isaaclab.sh -p scripts/compare.py --task Franka-Erase --policies prior aligned:<run folder> expert --episodes 3
    ./isaaclab.sh -p scripts/compare.py --task Franka-Erase --policies prior aligned:<run folder> --supervised

Needs no Isaac Sim, no display and no GPU. A person who supervises (--supervised) is the synthetic one of the task.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mereq_lab.program import one_line_errors
from mereq_tasks.arguments import add_task_args, parse_task_args


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument(
        "--policies", nargs="+", required=True, metavar="POLICY", help="prior, expert, or NAME:PATH of a run or a file"
    )
    parser.add_argument("--episodes", type=int, default=3, help="number of episodes (default: 3)")
    parser.add_argument("--supervised", action="store_true", help="let the synthetic person take over, and show it")
    parser.add_argument("--deterministic", action="store_true", help="take mean actions instead of sampling")
    parser.add_argument("--output", type=Path, help="folder for the files (default: logs/compare/<task>/<time>)")
    return parser


def main() -> None:
    args, settings = parse_task_args(make_parser())

    from mereq_lab.commands.compare import compare

    compare(args, settings)


if __name__ == "__main__":
    with one_line_errors():
        main()
