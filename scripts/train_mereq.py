# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

r"""Aligns a task's prior with what a person wants, from that person's interventions.

Examples:
    ./isaaclab.sh -p scripts/train_mereq.py --task Franka-Erase
    ./isaaclab.sh -p scripts/train_mereq.py --task Franka-Erase --person browser
    ./isaaclab.sh -p scripts/train_mereq.py --task Franka-Erase --from-recordings logs/mereq/Franka-Erase/*/recordings
    ./isaaclab.sh -p -m torch.distributed.run --nproc_per_node=2 -- \
        scripts/train_mereq.py --distributed --task Franka-Erase

Settings are changed as everywhere in Isaac Lab: agent.max_rounds=4, env.episode_length_s=6, physics=physx.
A run that is resumed keeps its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mereq_lab.commands.live_args import add_live_args
from mereq_lab.program import one_line_errors
from mereq_lab.provenance import REPOSITORY
from mereq_tasks.arguments import add_task_args, parse_task_args


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument("--prior", default="prior", help="policy to align: prior, a run folder or a file")
    parser.add_argument("--name", default="mereq", help="name of the run, part of its folder's")
    parser.add_argument("--logs", type=Path, default=REPOSITORY / "logs" / "mereq", help="where run folders go")
    parser.add_argument(
        "--from-recordings", nargs="+", type=Path, help="learn once from these files or folders, with no person present"
    )
    parser.add_argument(
        "--skip-damaged",
        action="store_true",
        help="go on without recordings that cannot be read, of --from-recordings or of the round to resume",
    )
    parser.add_argument("--resume", type=Path, help="run folder to go on with, from its last completed round")
    parser.add_argument("--distributed", action="store_true", help="run as one rank of torch.distributed.run")
    parser.add_argument(
        "--person",
        default="synthetic",
        choices=("synthetic", "browser", "spacemouse"),
        help="an expert policy (default), or somebody at a page in the browser, with a SpaceMouse or not",
    )
    parser.add_argument(
        "--learner",
        choices=("sac", "ppo"),
        help="what learns a policy for the inferred reward: residual Q-learning (default) or residual PPO",
    )
    add_live_args(parser)
    parser.add_argument("--no-video", action="store_true", help="make no comparison video at the end")
    return parser


def main() -> None:
    parser = make_parser()
    args, settings = parse_task_args(parser)

    from mereq_lab.commands.train import train

    train(args, settings, parser)


if __name__ == "__main__":
    with one_line_errors():
        main()
