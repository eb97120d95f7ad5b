# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Many recordings as one file of robomimic's layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .episode import RecordedEpisode, to_learn_from
from .hdf5 import write_episodes


def export_robomimic(episodes: Sequence[RecordedEpisode], path: Path) -> None:
    """Write all episodes to one HDF5 file, as ``data/demo_0``, ``data/demo_1``, ...

    Args:
        episodes: Of one task; discarded ones are left out.
        path: The file.

    Raises:
        RecordingError: The episodes do not belong together.
    """
    episodes = to_learn_from(episodes)
    write_episodes(path, episodes)
