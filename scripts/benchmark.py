# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Compares methods of alignment by how many expert samples they need, as the paper does.

Examples:
    ./isaaclab.sh -p scripts/benchmark.py --tasks Franka-Erase --methods all --seeds 5
    ./isaaclab.sh -p scripts/benchmark.py --tasks Franka-Erase --methods all --search --seeds 1 agent.max_rounds=3

Interrupted, it goes on where it stopped when it is started again with the same output folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mereq_lab.program import one_line_errors
from mereq_lab.provenance import REPOSITORY
from mereq_tasks.arguments import parse_settings


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", required=True, help="ids of tasks")
    parser.add_argument(
        "--methods", nargs="+", default=["all"], help="names of methods, all, or ablations (of MEReQ; names work, too)"
    )
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0 on (default: 5)")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, as processes (default: 1)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "logs" / "benchmark", help="folder for everything")
    parser.add_argument("--search", action="store_true", help="instead try the values of each method's main knob")
    parser.add_argument("--fast", action="store_true", help="a few steps of a few robots: does everything work?")
    return parser


def main() -> None:
    args, settings = parse_settings(make_parser())

    from mereq_lab.commands.benchmark import benchmark

    benchmark(args, settings)


if __name__ == "__main__":
    with one_line_errors():
        main()
