# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Recordings as HDF5, one file an episode.

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
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from tensordict import TensorDict

from ..whole_file import write_whole
from .episode import RecordedEpisode, RecordingError, RecordingInfo

SUFFIX = ".hdf5"
FORMAT = "mereq-recording"
FORMAT_VERSION = 1
_DATA_VERSION_OF_ISAACLAB = 1  # quaternions as xyzw, of which there are none here
_TYPE_OF_ROBOMIMIC = 2  # a gym environment


def write_episode(path: Path, episode: RecordedEpisode) -> None:
    """Write an episode; when this returns it is on the disk, and before that there is no file of that name."""
    write_episodes(path, [episode])


def write_episodes(path: Path, episodes: Sequence[RecordedEpisode]) -> None:
    """Write episodes of one run to one file, as :func:`write_episode` does one; the first speaks for all."""

    def write(place: Path) -> None:
        with h5py.File(place, "w") as file:
            file.attrs["format_version"] = _DATA_VERSION_OF_ISAACLAB
            data = file.create_group("data")
            task = episodes[0].info.task
            data.attrs["env_args"] = json.dumps({"env_name": task, "type": _TYPE_OF_ROBOMIMIC, "env_kwargs": {}})
            data.attrs["total"] = sum(len(episode) for episode in episodes)
            data.attrs["format"] = FORMAT
            data.attrs["recording_version"] = FORMAT_VERSION
            for number, episode in enumerate(episodes):
                _fill(data.create_group(f"demo_{number}"), episode)

    write_whole(path, write)


def _fill(demo: h5py.Group, episode: RecordedEpisode) -> None:
    info, steps = episode.info, episode.transitions
    demo.attrs["num_samples"] = len(episode)
    demo.attrs["seed"] = info.seed
    demo.attrs["info"] = json.dumps(dataclasses.asdict(info))
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


def read_episodes(path: Path) -> list[RecordedEpisode]:
    """Read the episodes of a file: one as it was recorded, or many of an exported one.

    Raises:
        RecordingError: The file is missing, damaged, or no recording of this project.
    """
    if not path.is_file():
        raise RecordingError(f"recording not found: {path}")
    try:
        with h5py.File(path, "r") as file:
            data: Any = file["data"]  # h5py's own types leave open whether it is a group
            if data.attrs.get("format") != FORMAT:
                raise RecordingError(f"not a recording of this project: {path}")
            version = int(data.attrs["recording_version"])
            if version != FORMAT_VERSION:
                raise RecordingError(f"recording has version {version}, this program reads {FORMAT_VERSION}: {path}")
            return [_episode(data[f"demo_{number}"]) for number in range(len(data))]
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(f"recording is damaged: {path} ({str(error).splitlines()[0]})") from error


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _episode(demo: Any) -> RecordedEpisode:
    info = RecordingInfo(**_with_tuples(json.loads(demo.attrs["info"])))

    def get(name: str) -> torch.Tensor:
        return torch.from_numpy(np.asarray(demo[name]))

    def columns(group: str, names: tuple[str, ...]) -> torch.Tensor:
        found = [get(f"{group}/{name}") for name in names]
        return torch.stack(found, dim=1) if found else torch.zeros(num_steps, 0)

    in_control = get("in_control")
    num_steps = len(in_control)
    steps = {
        "obs": get("obs/policy"),
        "action": get("actions"),
        "features": get("features"),
        "base_reward": get("rewards"),
        "next_obs": get("next_obs/policy"),
        "terminated": get("terminated"),
    }
    lengths = {name: len(values) for name, values in steps.items()}
    if num_steps == 0 or set(lengths.values()) != {num_steps}:
        raise RecordingError(f"recording has columns of different lengths: {lengths}, in_control {num_steps}")
    return RecordedEpisode(
        info=info,
        transitions=TensorDict(steps, batch_size=[num_steps]),
        robot_action=get("robot_actions"),
        in_control=in_control,
        metrics=columns("metrics", info.metric_names),
        reward_terms=columns("reward_terms", info.reward_names),
    )


def find_recordings(places: Iterable[Path]) -> list[Path]:
    """Return the recordings among files and folders (and their folders), each once, in order of their names.

    Raises:
        RecordingError: A place is missing, or holds none.
    """
    found: dict[Path, None] = {}
    for place in places:
        if not place.exists():
            raise RecordingError(f"recording not found: {place}")
        files = sorted(place.rglob(f"*{SUFFIX}")) if place.is_dir() else [place]
        files = [file for file in files if not file.name.startswith(".")]  # half-written ones
        if not files:
            raise RecordingError(f"no recordings (*{SUFFIX}) in {place}")
        found |= dict.fromkeys(files)
    return list(found)
