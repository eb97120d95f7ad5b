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
from typing import TYPE_CHECKING

from rich.table import Table

from _common import PlainConsole, check_writable, one_line_errors, warn
from mereq_algo.plain_text import plain
from mereq_tasks.arguments import TaskUsageError

if TYPE_CHECKING:
    from mereq_algo.recording import RecordedEpisode


def main() -> None:
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
    args = parser.parse_args()

    from mereq_algo.recording import gather

    found = gather(args.places, args.skip_damaged)
    for reason in found.left_out:
        warn(f"left out: {reason}")
    console = PlainConsole(highlight=False)
    if args.command == "export":
        export(args, [episode for _, episode in found.episodes], console)
        return
    if args.command == "list":
        console.print(as_table(found.episodes))
        return
    for file, episode in found.episodes:
        console.print(str(file), soft_wrap=True)
        console.print(as_details(episode))


def as_table(episodes: list[tuple[Path, RecordedEpisode]]) -> Table:
    """Returns a line an episode, and one for all."""
    table = Table(caption="steps: of them, those that the person controlled")
    for name in ("file", "task", "person", "round", "steps", "success", ""):
        table.add_column(name, justify="right" if name in ("round", "steps") else "left", overflow="fold")
    for file, episode in episodes:
        info, num_dropped = episode.info, int((~episode.is_finite).sum())
        dropped = f"{num_dropped} steps not finite" if num_dropped else ""
        table.add_row(
            plain("/".join(file.parts[-2:])),
            plain(info.task),
            plain(info.person),
            str(info.round + 1),
            f"{len(episode)}: {episode.expert_samples}",
            outcome(episode),
            plain(", ".join(note for note in ("discarded" if info.discarded else "", info.note, dropped) if note)),
        )
    steps = sum(len(episode) for _, episode in episodes)
    samples = sum(episode.expert_samples for _, episode in episodes)
    successes = sum(bool(episode.info.success) for _, episode in episodes)
    table.add_section()
    table.add_row(f"{len(episodes)} episodes", "", "", "", f"{steps}: {samples}", f"{successes} of {len(episodes)}", "")
    return table


def outcome(episode: RecordedEpisode) -> str:
    """Returns whether the episode was a success, and who says so."""
    if episode.info.success is None:
        return "unknown"
    answer = "yes" if episode.info.success else "no"
    return f"{answer} (marked)" if episode.info.marked_by == "person" else answer


def as_details(episode: RecordedEpisode) -> Table:
    """Returns what the episode says about itself, and the mean of each of its columns."""
    info, table = episode.info, Table(show_header=False)
    samples = episode.expert_samples
    for name, value in (
        ("task", info.task),
        ("person", info.person),
        ("recorded at", info.recorded_at),
        ("policy (SHA-256)", info.policy_sha256),
        ("run", f"seed {info.seed}, round {info.round + 1}, robot {info.robot + 1}"),
        ("steps", f"{len(episode)}, of them controlled by the person {samples} ({samples / len(episode):.0%})"),
        ("steps that are not finite", str(int((~episode.is_finite).sum()))),
        ("an action is", "unknown" if info.meaning is None else info.meaning.summary()),
        ("rate", "unknown" if info.rate_hz is None else f"{info.rate_hz:.6g} Hz"),
        ("success", outcome(episode)),
        ("discarded", "yes" if info.discarded else "no"),
        ("note", info.note),
        ("versions", ", ".join(f"{package} {version}" for package, version in info.versions.items())),
    ):
        table.add_row(name, plain(value))
    table.add_section()
    for what, names, columns in (
        ("feature", info.feature_names, episode.transitions["features"]),
        ("reward", info.reward_names, episode.reward_terms),
        ("metric", info.metric_names, episode.metrics),
    ):
        for index, name in enumerate(names):
            column = columns[:, index]
            table.add_row(plain(f"{what} {name}"), f"mean {column.mean():.4f}, at the end {column[-1]:.4f}")
    return table


def export(args: argparse.Namespace, episodes: list[RecordedEpisode], console: PlainConsole) -> None:
    """Writes a dataset of all episodes that were not discarded.

    Raises:
        TaskUsageError: There is something at its place already.
        RecordingError: The episodes do not belong together.
        WriteError: The dataset cannot be written.
    """
    from mereq_algo.recording import notes_on
    from mereq_algo.recording.lerobot import export_lerobot
    from mereq_algo.recording.robomimic import export_robomimic

    if args.output.exists():
        raise TaskUsageError(f"there is something already: {args.output}")
    check_writable("output", args.output)
    written = {"lerobot": export_lerobot, "robomimic": export_robomimic}[args.format](episodes, args.output)
    for note in notes_on(episodes):
        warn(note)
    steps = sum(len(episode) for episode in written)
    console.print(f"{len(written)} episodes, {steps} steps: {args.output}", soft_wrap=True)


if __name__ == "__main__":
    with one_line_errors():
        main()
