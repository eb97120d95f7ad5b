# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Many recordings as one file of robomimic's layout."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from mereq_algo.recording.episode import RecordedEpisode
from mereq_algo.recording.hdf5 import write_episodes
from mereq_algo.recording.joining import exported_as, until_not_finite

VALIDATION_SHARE = 0.1
"""Of the episodes, in ``mask/valid``. Source: robomimic's own split_train_val.py."""


def export_robomimic(episodes: Sequence[RecordedEpisode], path: Path) -> list[RecordedEpisode]:
    """Write all episodes to one HDF5 file, as ``data/demo_0``, ``data/demo_1``, ...

    ``mask/train`` and ``mask/valid`` share the episodes out at random, always in the same way; a single one is all in
    ``train``.

    Args:
        episodes: Of one task, one rate and one scale of actions; discarded ones are left out, and an episode ends
            before a step whose numbers are not all finite.
        path: The file.

    Returns:
        The episodes that were written.

    Raises:
        RecordingError: The episodes do not belong together, or robomimic cannot hold them.
        WriteError: The file cannot be written.
    """
    episodes = until_not_finite(episodes)
    numbers = list(range(len(episodes)))
    random.Random(0).shuffle(numbers)
    num_valid = max(round(VALIDATION_SHARE * len(numbers)), 1) if len(numbers) > 1 else 0
    filters = {"train": sorted(numbers[num_valid:])}
    if num_valid:
        filters["valid"] = sorted(numbers[:num_valid])
    with exported_as("robomimic"):
        write_episodes(path, episodes, filters)
    return episodes
