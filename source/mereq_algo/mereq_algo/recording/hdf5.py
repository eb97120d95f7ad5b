# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Writes recordings as HDF5, one file an episode.

The layout is that of robomimic and of Isaac Lab's recorder, whose readers open these files: a group ``data`` with
``env_args``, and in it ``demo_0`` with ``actions``, ``rewards``, ``dones``, ``obs/policy`` and ``next_obs/policy``.
What supervision adds stands beside them: ``in_control``, ``robot_actions``, ``features``, ``terminated``,
``metrics/<name>`` and ``reward_terms/<name>``.

One file an episode, written beside its place and renamed: HDF5 itself does not survive a kill in the middle of a write,
and so no earlier episode is ever open.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from ..atomic_write import atomic_write
from .episode import RecordedEpisode, RecordingInfo
from .files import SUFFIX
from .hdf5_reader import FORMAT, FORMAT_VERSION

_DATA_VERSION_OF_ISAACLAB = 1  # quaternions as xyzw, of which there are none here
_TYPE_OF_ROBOMIMIC = 2  # a gym environment


def write_episode(path: Path, episode: RecordedEpisode) -> None:
    """Write an episode; when this returns it is on the disk, and before that there is no file of that name."""
    write_episodes(path, [episode])


def write_episodes(
    path: Path, episodes: Sequence[RecordedEpisode], filters: Mapping[str, Sequence[int]] | None = None
) -> None:
    """Write episodes of one run to one file, as :func:`write_episode` does one; the first speaks for all.

    Args:
        path: The file.
        episodes: The episodes.
        filters: Numbers of the episodes that belong to each of robomimic's filter keys, ``train`` for example.
    """
    # HDF5 writes to memory alone: a full disk in the middle of its own writes can end the process.
    image = h5py.File(path.name, "w", driver="core", backing_store=False)
    with image as file:
        file.attrs["format_version"] = _DATA_VERSION_OF_ISAACLAB
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps(_env_args(episodes[0].info))
        data.attrs["total"] = sum(len(episode) for episode in episodes)
        data.attrs["format"] = FORMAT
        data.attrs["recording_version"] = FORMAT_VERSION
        for number, episode in enumerate(episodes):
            _fill(data.create_group(f"demo_{number}"), episode)
        for name, numbers in (filters or {}).items():
            file.create_dataset(f"mask/{name}", data=np.array([f"demo_{number}" for number in numbers], dtype="S"))
        file.flush()
        content = file.id.get_file_image()
    atomic_write(path, lambda place: place.write_bytes(content))


def _env_args(info: RecordingInfo) -> dict[str, Any]:
    """Return what robomimic is told of the environment; its tools want these three entries."""
    kwargs = {} if info.rate_hz is None else {"control_freq": info.rate_hz}
    return {"env_name": info.task, "type": _TYPE_OF_ROBOMIMIC, "env_kwargs": kwargs}


def _fill(demo: h5py.Group, episode: RecordedEpisode) -> None:
    info, steps = episode.info, episode.transitions
    demo.attrs["num_samples"] = len(episode)
    demo.attrs["seed"] = info.seed
    meaning = None if info.meaning is None else info.meaning.as_dict()
    demo.attrs["info"] = json.dumps({**dataclasses.asdict(info), "meaning": meaning})
    if info.success is not None:
        demo.attrs["success"] = info.success

    def put(name: str, values: torch.Tensor) -> None:
        array = values.numpy()
        demo.create_dataset(name, data=array, compression="gzip" if array.size else None)

    put("actions", steps["action"])
    put("rewards", steps["base_reward"])
    put("dones", torch.arange(1, len(episode) + 1) == len(episode))
    put("obs/policy", steps["obs"])
    put("next_obs/policy", steps["next_obs"])
    put("terminated", steps["terminated"].bool())
    put("features", steps["features"])
    put("robot_actions", episode.robot_action)
    put("in_control", episode.in_control)
    for group, names, columns in (
        ("metrics", info.metric_names, episode.metrics),
        ("reward_terms", info.reward_names, episode.reward_terms),
    ):
        for index, name in enumerate(names):
            put(f"{group}/{name}", columns[:, index])


def write_round(folder: Path, episodes: Sequence[RecordedEpisode]) -> None:
    """Write the episodes of a round to ``<folder>/round_<n>/episode_<n>.hdf5``, counted from 1."""
    for number, episode in enumerate(episodes, start=1):
        write_episode(episode_file(folder, episode.info.round, number), episode)


def episode_file(folder: Path, round_index: int, number: int) -> Path:
    """Return where an episode of a round goes; rounds count from 0, episodes from 1."""
    return folder / f"round_{round_index + 1:02d}" / f"episode_{number:03d}{SUFFIX}"
