# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Supervised episodes on disk, in the layout of robomimic and Isaac Lab."""

from .copies import without_copies
from .episode import RecordedEpisode, RecordingError, RecordingInfo, episodes_of, time_now
from .files import Recordings, find_recordings, gather, in_order, left_out_or_refused
from .hdf5 import episode_file, write_episode, write_round
from .hdf5_reader import read_episodes, read_recordings
from .joining import notes_on, num_not_finite, rollout_of, to_learn_from
from .policy_hash import policy_hash

__all__ = [
    "RecordedEpisode",
    "RecordingError",
    "RecordingInfo",
    "Recordings",
    "episode_file",
    "episodes_of",
    "find_recordings",
    "gather",
    "in_order",
    "left_out_or_refused",
    "notes_on",
    "num_not_finite",
    "policy_hash",
    "read_episodes",
    "read_recordings",
    "rollout_of",
    "time_now",
    "to_learn_from",
    "without_copies",
    "write_episode",
    "write_round",
]
