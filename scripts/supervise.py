# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Lets people watch a policy in a browser, take over when it goes wrong, and records every episode that they watch.

Examples:
    ./isaaclab.sh -p scripts/supervise.py --task Franka-Erase
    ./isaaclab.sh -p scripts/supervise.py --task Franka-Erase --policy logs/mereq/Franka-Erase/<run> --episodes 10

Nothing is learned here; ``train_mereq.py --from-recordings`` does that, and ``train_mereq.py --person browser`` does
both, round by round.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mereq_lab.commands.live_args import add_live_args
from mereq_lab.program import one_line_errors
from mereq_tasks.arguments import add_task_args, parse_task_args


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    add_live_args(parser)
    parser.add_argument("--policy", default="prior", help="policy to watch: prior, expert, a run folder or a file")
    parser.add_argument("--episodes", type=int, default=5, help="episodes to watch (default: 5)")
    parser.add_argument("--recordings", type=Path, help="their folder (default: logs/recordings/<task>/<time>)")
    parser.add_argument(
        "--hands", default="browser", choices=("browser", "spacemouse"), help="what steers the first robot"
    )
    parser.add_argument("--link", type=int, help=argparse.SUPPRESS)  # of the process that learns
    parser.add_argument("--skip-damaged", action="store_true", help=argparse.SUPPRESS)  # likewise, of a resumed round
    parser.set_defaults(device="cpu")  # a few robots are no faster on a GPU
    return parser


def main() -> None:
    args, settings = parse_task_args(make_parser())

    from mereq_lab.commands.supervise import supervise

    supervise(args, settings)


if __name__ == "__main__":
    with one_line_errors():
        main()
