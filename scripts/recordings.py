# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Looks at recorded supervision, and hands it to others.

Examples:
    ./isaaclab.sh -p scripts/recordings.py list logs/mereq/Franka-Erase
    ./isaaclab.sh -p scripts/recordings.py show logs/mereq/Franka-Erase/<run>/recordings/round_01/episode_001.hdf5
    ./isaaclab.sh -p scripts/recordings.py export --format lerobot --output datasets/erase logs/mereq/Franka-Erase
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mereq_lab.program import one_line_errors


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, meaning in (
        ("list", "a line an episode"),
        ("show", "everything about each episode"),
        ("export", "write a dataset of another format"),
    ):
        command = commands.add_parser(name, help=meaning)
        command.add_argument("places", nargs="+", type=Path, help="files, or folders to look through")
        command.add_argument("--skip-damaged", action="store_true", help="go on without files that cannot be read")
    command.add_argument("--format", choices=["lerobot", "robomimic"], required=True, help="format of the dataset")
    command.add_argument("--output", type=Path, required=True, help="folder (lerobot) or file (robomimic) to write")
    return parser


def main() -> None:
    args = make_parser().parse_args()

    from mereq_lab.commands.recordings import export, list_episodes, show_episodes

    if args.command == "export":
        export(args.places, args.output, args.format, args.skip_damaged)
    elif args.command == "list":
        list_episodes(args.places, args.skip_damaged)
    else:
        show_episodes(args.places, args.skip_damaged)


if __name__ == "__main__":
    with one_line_errors():
        main()
