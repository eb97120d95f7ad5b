# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The recordings of one round of live supervision, on disk."""

from __future__ import annotations

from pathlib import Path

from ..recording import RecordedEpisode, RecordingInfo, episode_file, in_order, read_recordings, write_episode
from ..recording.files import SUFFIX
from .descriptors import PatientFiles


class RoundFiles:
    """Writes each episode when it ends, and again when its person has said what they think of it.

    Nothing that an earlier process wrote is ever written over.
    """

    def __init__(self, folder: Path, info: RecordingInfo, patient: PatientFiles) -> None:
        """Prepare.

        Args:
            folder: Folder of all rounds.
            info: What all recordings of the round say of themselves.
            patient: Waits where too many files are open.
        """
        self._folder = folder
        self._patient = patient
        self.info = info

    def left_by_others(self) -> list[tuple[Path, RecordedEpisode]]:
        """Return what an interrupted run left of this round: what a person has shown they need not show again.

        Raises:
            RecordingError: A file of the round is damaged.
        """
        return self._patient.run(self._left_by_others)

    def _left_by_others(self) -> list[tuple[Path, RecordedEpisode]]:
        episodes, damaged = read_recordings(in_order(self._folder_of_round().glob(f"*{SUFFIX}")))
        if damaged:
            raise damaged[0]
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
