# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Trains a task's prior or expert.

Examples:
    ./isaaclab.sh -p scripts/train_policy.py --task Franka-Erase --reward prior
    ./isaaclab.sh -p scripts/train_policy.py --task Franka-Erase --reward expert --start prior
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mereq_lab.program import one_line_errors
from mereq_tasks.arguments import add_task_args, parse_task_args


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument("--reward", choices=("prior", "expert"), required=True, help="whose reward to train with")
    parser.add_argument("--start", metavar="POLICY", help="policy to start from (default: none, from scratch)")
    parser.add_argument("--steps", type=int, default=1600, help="steps of all robots (default: 1600)")
    parser.add_argument("--episodes", type=int, default=100, help="episodes of the evaluation (default: 100)")
    parser.add_argument(
        "--output", type=Path, help="policy file (default: assets/policies/<task>/<reward>.safetensors)"
    )
    return parser


def main() -> None:
    args, settings = parse_task_args(make_parser())

    from mereq_lab.commands.train_policy import train_policy_file

    train_policy_file(args, settings)


if __name__ == "__main__":
    with one_line_errors():
        main()
