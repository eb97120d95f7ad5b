# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Finds recordings, in the order in which they were made, and reads all of them."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .episode import RecordedEpisode, RecordingError
from .hdf5_reader import read_recordings

SUFFIX = ".hdf5"

_MOST_NAMED = 20
"""Damaged files that an error names; the rest is counted."""


@dataclass(frozen=True)
class Recordings:
    """What was found and could be read."""

    episodes: list[tuple[Path, RecordedEpisode]]
    """Each with its file."""

    left_out: list[str] = field(default_factory=list)
    """Which files were left out and why, a sentence a reason."""


def gather(places: Iterable[Path], skip_damaged: bool = False) -> Recordings:
    """Find and read recordings. Copies of a file, bit for bit, count once.

    Args:
        places: Files, and folders to look through.
        skip_damaged: Whether to go on without those that cannot be read.

    Raises:
        RecordingError: A place is missing or holds none, or recordings cannot be read: all of them are named.
    """
    files, left_out = _without_copies(find_recordings(places))
    episodes, damaged = read_recordings(files)
    if not damaged:
        return Recordings(episodes, left_out)
    reasons = "; ".join(map(str, damaged[:_MOST_NAMED]))
    if len(damaged) > _MOST_NAMED:
        reasons += f"; and {len(damaged) - _MOST_NAMED} more"
    if len(files) == 1:
        raise damaged[0]
    told = f"{len(damaged)} of {len(files)} recordings cannot be read: {reasons}"
    if not skip_damaged:
        raise RecordingError(f"{told}; --skip-damaged goes on without them")
    if not episodes:
        raise RecordingError(told)
    return Recordings(episodes, [told, *left_out])


def find_recordings(places: Iterable[Path]) -> list[Path]:
    """Return the recordings among files and folders, links followed, each once, in the order of :func:`in_order`.

    A file that is named twice, by another path, a link or a hard link say, counts once.

    Raises:
        RecordingError: A place is missing, cannot be read, or holds none.
    """
    found: dict[tuple[int, int], Path] = {}
    for place in places:
        try:
            is_folder = place.is_dir()
            if not place.exists():
                raise RecordingError(f"recording not found: {place}")
            files = in_order(_walk(place)) if is_folder else [place]
            files = [file for file in files if not file.name.startswith(".")]  # half-written ones
            identities = [(status.st_dev, status.st_ino) for status in map(os.stat, files)]
        except OSError as error:
            raise RecordingError(f"recordings cannot be read: {error.filename or place} ({error.strerror})") from error
        if not files:
            raise RecordingError(f"no recordings (*{SUFFIX}) in {place}")
        for identity, file in zip(identities, files, strict=True):
            found.setdefault(identity, file)
    return list(found.values())


def _without_copies(files: list[Path]) -> tuple[list[Path], list[str]]:
    """Return files without copies of earlier ones, bit for bit, and a sentence about the copies if there are any."""
    of_size = Counter(file.stat().st_size for file in files)
    kept: dict[bytes | Path, Path] = {}
    copies: list[str] = []
    for file in files:
        identity = _digest(file) if of_size[file.stat().st_size] > 1 else file
        first = kept.setdefault(identity, file)
        if first is not file:
            copies.append(f"{file} is a copy of {first}")
    if len(copies) > _MOST_NAMED:
        copies[_MOST_NAMED:] = [f"and {len(copies) - _MOST_NAMED} more"]
    return list(kept.values()), ["; ".join(copies)] if copies else []


def _digest(file: Path) -> bytes | Path:
    """Return the digest of a file's bytes; the file itself if it cannot be read, which its reader then says."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").digest()
    except OSError:
        return file


def in_order(files: Iterable[Path]) -> list[Path]:
    """Return files sorted by name, numbers in them by their value: episode 999 comes before episode 1000."""

    def key(file: Path) -> list[list[tuple[int, str]]]:
        split = (enumerate(re.split("([0-9]+)", name)) for name in file.parts)  # every second part is a number
        return [[(int(part), "") if index % 2 else (0, part) for index, part in parts] for parts in split]

    return sorted(files, key=key)


def _walk(folder: Path) -> list[Path]:
    """Return the recordings in a folder and in its folders; a link back to one of them ends there."""

    def refuse(error: OSError) -> None:
        raise error

    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for path, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        files = (Path(path, name) for name in names if name.endswith(SUFFIX))
        found += [file for file in files if file.exists()]  # not a link to nothing
    return found
