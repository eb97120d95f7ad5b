# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Exports a policy for the arm: TorchScript, ONNX, and a contract that says how to drive an arm with them.

Examples:
    ./isaaclab.sh -p scripts/export_policy.py --run logs/mereq/Franka-Erase/<run> --output exported/erase
    ./isaaclab.sh -p scripts/export_policy.py --task Franka-Erase --run prior --output exported/prior

The files are compared with the live policy on observations of real episodes and on corners of the observation's ranges;
where they differ nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mereq_lab.commands.task_of_run import with_task_of_run
from mereq_lab.program import one_line_errors
from mereq_tasks.arguments import add_task_args, parse_task_args


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument("--run", required=True, help="a run folder, prior, expert, or a policy file")
    parser.add_argument("--output", type=Path, required=True, help="folder; an earlier export is replaced")
    parser.add_argument(
        "--with", nargs="+", dest="also", default=[], choices=("prior", "sampler"), help="export it, too"
    )
    return parser


def main() -> None:
    args, settings = parse_task_args(make_parser(), with_task_of_run(sys.argv[1:]))

    from mereq_lab.commands.export import export_policy

    export_policy(args, settings)


if __name__ == "__main__":
    with one_line_errors():
        main()
