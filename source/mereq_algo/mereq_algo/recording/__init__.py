# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Supervised episodes on disk, in the layout of robomimic and Isaac Lab."""

from .episode import RecordedEpisode, RecordingError, RecordingInfo, episodes_of, rollout_of, time_now
from .hdf5 import episode_file, find_recordings, read_episodes, write_episode, write_round
from .policy_hash import policy_hash

__all__ = [
    "RecordedEpisode",
    "RecordingError",
    "RecordingInfo",
    "episode_file",
    "episodes_of",
    "find_recordings",
    "policy_hash",
    "read_episodes",
    "rollout_of",
    "time_now",
    "write_episode",
    "write_round",
]
