# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Finds recordings, in the order in which they were made, and reads all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .copies import without_copies
from .episode import RecordedEpisode, RecordingError
from .hdf5_reader import read_recordings

SUFFIX = ".hdf5"


@dataclass(frozen=True)
class Recordings:
    """What was found and could be read."""

    episodes: list[tuple[Path, RecordedEpisode]]
    """Each with its file."""

    left_out: list[str] = field(default_factory=list)
    """Which files were left out and why, a sentence a reason."""


def gather(places: Iterable[Path], skip_damaged: bool = False) -> Recordings:
    """Find and read recordings. An episode that is there twice, in a copy or an export, counts once.

    Args:
        places: Files, and folders to look through.
        skip_damaged: Whether to go on without files and folders that cannot be read.

    Raises:
        RecordingError: A place is missing or holds none, or recordings cannot be read: all of them are named. Or copies
            of an episode differ in what they say of it.
    """
    files, unreadable = _find(places)
    read, damaged = read_recordings(files)
    left_out = left_out_or_refused(damaged, len(files), skip_damaged, unreadable)
    if left_out and not read:
        raise RecordingError(left_out[0])
    episodes, copies = without_copies(read)
    return Recordings(episodes, left_out + copies)


def left_out_or_refused(
    damaged: Sequence[RecordingError],
    number: int,
    skip_damaged: bool,
    unreadable: Sequence[RecordingError] = (),
    needs_one: bool = True,
) -> list[str]:
    """Return which files are left out because they cannot be read, a sentence or none.

    Args:
        damaged: Why files cannot be read.
        number: How many files there are.
        skip_damaged: Whether to go on without them.
        unreadable: Why folders cannot be looked through.
        needs_one: Whether one could not go on without any recording.

    Raises:
        RecordingError: There are such files and folders, and one does not go on without them: all of them are named.
    """
    reasons = [*unreadable, *damaged]
    if not reasons:
        return []
    told = "; ".join(map(str, reasons))
    if number + len(unreadable) > 1:
        counts = [f"{len(damaged)} of {number} recordings"] if damaged else []
        counts += [f"{len(unreadable)} places"] if unreadable else []
        told = f"{' and '.join(counts)} cannot be read: {told}"
    if not skip_damaged:
        hint = "; --skip-damaged goes on without them" if number > len(damaged) or not needs_one else ""
        raise RecordingError(told + hint)
    return [told]


def find_recordings(places: Iterable[Path]) -> list[Path]:
    """Return the recordings among files and folders, links followed, each once, in the order of :func:`in_order`.

    A file that is named twice, by another path, a link or a hard link say, counts once.

    Raises:
        RecordingError: A place is missing or holds none, or one cannot be read.
    """
    files, unreadable = _find(places)
    left_out_or_refused([], len(files), False, unreadable)
    return files


def _find(places: Iterable[Path]) -> tuple[list[Path], list[RecordingError]]:
    """Return what :func:`find_recordings` does, and why places and folders in them cannot be read.

    Raises:
        RecordingError: Places are missing or hold none.
    """
    found: dict[tuple[int, int], Path] = {}
    unreadable: dict[str, RecordingError] = {}
    wrong: list[str] = []

    def note(error: OSError, place: Path) -> None:
        where = str(error.filename or place)
        unreadable[where] = RecordingError(f"{where} cannot be read ({error.strerror})")

    for place in places:
        before = len(unreadable)
        try:
            if not place.exists():
                wrong.append(f"recording not found: {place}")
                continue
            files = in_order(_walk(place, note)) if place.is_dir() else [place]
        except OSError as error:
            note(error, place)
            continue
        files = [file for file in files if not file.name.startswith(".")]  # half-written ones
        if not files and len(unreadable) == before:
            wrong.append(f"no recordings (*{SUFFIX}) in {place}")
        for file in files:
            try:
                status = os.stat(file)
            except OSError as error:
                note(error, file)
                continue
            found.setdefault((status.st_dev, status.st_ino), file)
    if wrong:
        raise RecordingError("; ".join(wrong))
    return list(found.values()), list(unreadable.values())


def in_order(files: Iterable[Path]) -> list[Path]:
    """Return files sorted by name, numbers in them by their value: episode 999 comes before episode 1000."""

    def key(file: Path) -> list[list[tuple[int, str]]]:
        split = (enumerate(re.split("([0-9]+)", name)) for name in file.parts)  # every second part is a number
        return [[(int(part), "") if index % 2 else (0, part) for index, part in parts] for parts in split]

    return sorted(files, key=key)


def _walk(folder: Path, note: Callable[[OSError, Path], None]) -> list[Path]:
    """Return the recordings in a folder and in its folders; a link back to one of them ends there.

    Args:
        folder: The folder.
        note: Called with each error, and the folder that it is about.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for path, folders, names in os.walk(folder, onerror=lambda error: note(error, folder), followlinks=True):
        try:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in seen:
                folders.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            files = (Path(path, name) for name in names if name.endswith(SUFFIX))
            found += [file for file in files if file.exists()]  # not a link to nothing
        except OSError as error:
            note(error, Path(path))
    return found
