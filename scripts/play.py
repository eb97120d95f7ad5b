# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Evaluates a policy: its own reward, the person's, the features, and the task's figures.

Example:
    ./isaaclab.sh -p scripts/play.py --task Franka-Erase --policy expert --episodes 100
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mereq_lab.program import one_line_errors
from mereq_tasks.arguments import add_task_args, parse_task_args


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument("--policy", required=True, help="prior, expert, a run folder, or a policy file")
    parser.add_argument("--episodes", type=int, default=100, help="number of episodes (default: 100)")
    parser.add_argument("--deterministic", action="store_true", help="take mean actions instead of sampling")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


def main() -> None:
    args, settings = parse_task_args(make_parser())

    from mereq_lab.commands.play import play

    play(args, settings)


if __name__ == "__main__":
    with one_line_errors():
        main()
