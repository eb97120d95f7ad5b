# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The recordings of one round of live supervision, on disk."""

from __future__ import annotations

from pathlib import Path

from mereq_algo.recording import (
    RecordedEpisode,
    RecordingInfo,
    episode_file,
    in_order,
    left_out_or_refused,
    read_recordings,
    without_copies,
    write_episode,
)
from mereq_algo.recording.files import SUFFIX

from .descriptors import PatientFiles


class RoundFiles:
    """Writes each episode when it ends, and again when its person has said what they think of it.

    Nothing that an earlier process wrote is ever written over.
    """

    def __init__(self, folder: Path, info: RecordingInfo, patient: PatientFiles, skip_damaged: bool = False) -> None:
        """Prepare.

        Args:
            folder: Folder of all rounds.
            info: What all recordings of the round say of themselves.
            patient: Waits where too many files are open.
            skip_damaged: Whether to go on without files of the round that cannot be read.
        """
        self._folder = folder
        self._patient = patient
        self._skip_damaged = skip_damaged
        self.left_out: list[str] = []
        """Which files of the round are left out and why, a sentence a reason; see :meth:`left_by_others`."""
        self.info = info

    def left_by_others(self) -> list[tuple[Path, RecordedEpisode]]:
        """Return what an interrupted run left of this round: what a person has shown they need not show again.

        Raises:
            RecordingError: Files of the round are damaged, all of which are named, or copies of an episode differ.
        """
        return self._patient.run(self._left_by_others)

    def _left_by_others(self) -> list[tuple[Path, RecordedEpisode]]:
        files = in_order(self._folder_of_round().glob(f"*{SUFFIX}"))
        read, damaged = read_recordings(files)
        left_out = left_out_or_refused(damaged, len(files), self._skip_damaged, needs_one=False)
        episodes, copies = without_copies(read)
        self.left_out = left_out + copies
        return [
            (file, episode)
            for file, episode in episodes
            if episode.info.policy_sha256 == self.info.policy_sha256 and not episode.info.discarded
        ]

    def number(self) -> int:
        """Return how many episodes of the round there are, discarded ones included."""
        return self._patient.run(lambda: len(list(self._folder_of_round().glob(f"*{SUFFIX}"))))

    def _folder_of_round(self) -> Path:
        return episode_file(self._folder, self.info.round, 1).parent

    def add(self, episode: RecordedEpisode) -> Path:
        """Write an episode to a file of its own, and return which."""
        number = 1
        while (file := episode_file(self._folder, self.info.round, number)).exists():
            number += 1
        self.rewrite(file, episode)
        return file

    def rewrite(self, file: Path, episode: RecordedEpisode) -> None:
        """Write an episode again, of which more is known."""
        self._patient.run(lambda: write_episode(file, episode))
