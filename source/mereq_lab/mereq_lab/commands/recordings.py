# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Looks at recorded supervision, and hands it to others: see ``scripts/recordings.py``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from mereq_algo.recording import RecordedEpisode, gather, notes_on
from mereq_lab.datasets.lerobot import export_lerobot
from mereq_lab.datasets.robomimic import export_robomimic
from mereq_tasks.arguments import TaskUsageError

from ..errors import check_writable, warn
from ..plain_console import PlainConsole
from ..plain_text import plain

Found = list[tuple[Path, RecordedEpisode]]


def found_episodes(places: Sequence[Path], skip_damaged: bool) -> Found:
    """Reads all recordings at some places, and says which are left out.

    Args:
        places: Files, or folders to look through.
        skip_damaged: Whether to go on without files that cannot be read.

    Raises:
        RecordingError: There are none, or one cannot be read.
    """
    found = gather(places, skip_damaged)
    for reason in found.left_out:
        warn(f"left out: {reason}")
    return found.episodes


def list_episodes(places: Sequence[Path], skip_damaged: bool) -> None:
    """Prints a line an episode; see :func:`found_episodes`."""
    PlainConsole(highlight=False).print(as_table(found_episodes(places, skip_damaged)))


def show_episodes(places: Sequence[Path], skip_damaged: bool) -> None:
    """Prints everything about each episode; see :func:`found_episodes`."""
    console = PlainConsole(highlight=False)
    for file, episode in found_episodes(places, skip_damaged):
        console.print(str(file), soft_wrap=True)
        console.print(as_details(episode))


def as_table(episodes: Found) -> Table:
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


def export(places: Sequence[Path], output: Path, dataset_format: str, skip_damaged: bool) -> None:
    """Writes a dataset of all episodes that were not discarded.

    Args:
        places: Files, or folders to look through.
        output: Folder (LeRobot) or file (robomimic) to write.
        dataset_format: ``lerobot`` or ``robomimic``.
        skip_damaged: Whether to go on without files that cannot be read.

    Raises:
        TaskUsageError: There is something at its place already.
        RecordingError: There are no episodes, one cannot be read, or they do not belong together.
        WriteError: The dataset cannot be written.
    """
    episodes = [episode for _, episode in found_episodes(places, skip_damaged)]
    if output.exists():
        raise TaskUsageError(f"there is something already: {output}")
    check_writable("output", output)
    written = {"lerobot": export_lerobot, "robomimic": export_robomimic}[dataset_format](episodes, output)
    for note in notes_on(episodes):
        warn(note)
    steps = sum(len(episode) for episode in written)
    PlainConsole(highlight=False).print(f"{len(written)} episodes, {steps} steps: {output}", soft_wrap=True)
