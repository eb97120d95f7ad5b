# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Finds episodes that were read twice: a copy of a file, or an export beside the recordings that it was made of.

An episode is known by what was done in it and when, whatever file holds it. What was said of it afterwards, a mark or a
note, is no part of that.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from .episode import RecordedEpisode, RecordingError

type Found = tuple[Path, RecordedEpisode]
"""An episode and its file."""

_DONE = ("task", "policy_sha256", "recorded_at", "round", "robot", "seed")
"""Fields that are part of an episode's identity."""

_OF_NO_MATTER = ("versions",)
"""Fields that may differ between copies."""


def without_copies(found: Sequence[Found]) -> tuple[list[Found], list[str]]:
    """Count each episode once.

    Of copies the longest counts: an export ends an episode before a step whose numbers are not finite. Of equally long
    ones that of the file with the fewest episodes counts, and then the first.

    Args:
        found: Episodes with their files.

    Returns:
        The episodes that count, in their order, and for each file with copies a sentence about them.

    Raises:
        RecordingError: Copies differ in their mark, note or anything else but what was done: all of them are named.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    for index, (_, episode) in enumerate(found):
        groups[_identity(episode)].append(index)
    in_file = Counter(file for file, _ in found)
    kept: set[int] = set()
    copies: dict[Path, list[Path]] = defaultdict(list)
    differing = []
    for group in groups.values():
        best = min(group, key=lambda index: (-len(found[index][1]), in_file[found[index][0]], index))
        kept.add(best)
        for index in group:
            if index == best:
                continue
            copies[found[index][0]].append(found[best][0])
            differences = _differences(found[best][1], found[index][1])
            if differences:
                differing.append(f"{found[best][0]} and {found[index][0]} ({'; '.join(differences)})")
    if differing:
        raise RecordingError(
            f"recordings of the same episode differ, remove the one that is wrong: {'; '.join(differing)}"
        )
    told = [_told(file, originals, in_file[file]) for file, originals in copies.items()]
    return [found[index] for index in sorted(kept)], told


def _identity(episode: RecordedEpisode) -> bytes:
    """Return a digest of what was done, up to the first step with a number that is not finite.

    That step and the rest are left out by an export, so that they cannot be part of it; an episode that begins with
    one is never exported, and known by all of its steps.
    """
    length = int(episode.is_finite.long().cumprod(dim=0).sum()) or len(episode)
    digest = hashlib.sha256(repr([getattr(episode.info, name) for name in _DONE]).encode())
    columns = (episode.transitions["obs"], episode.transitions["action"], episode.robot_action, episode.in_control)
    for column in columns:
        digest.update(repr(tuple(column.shape[1:])).encode())
        digest.update(column[:length].contiguous().numpy().tobytes())
    return digest.digest()


def _differences(one: RecordedEpisode, other: RecordedEpisode) -> list[str]:
    """Return what two recordings of an episode say differently."""
    equal_length = len(one) == len(other)  # an episode that an export has cut is no success
    names = (field.name for field in fields(one.info) if field.name not in (*_DONE, *_OF_NO_MATTER))
    return [
        f"{name} {getattr(one.info, name)!r} and {getattr(other.info, name)!r}"
        for name in names
        if getattr(one.info, name) != getattr(other.info, name) and (equal_length or name != "success")
    ]


def _told(file: Path, originals: Sequence[Path], number: int) -> str:
    """Return a sentence about the copies in a file.

    Args:
        file: The file.
        originals: Of each copy in it, the file whose episode counts.
        number: How many episodes the file holds.
    """
    first, *more = dict.fromkeys(originals)
    where = f"{first}{f' and {len(more)} more files' if len(more) > 1 else f' and {more[0]}' if more else ''}"
    if number == 1:
        return f"the episode of {file} is a copy of one in {where}"
    return f"{len(originals)} of {number} episodes of {file} are copies of those in {where}"
