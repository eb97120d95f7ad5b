# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Recordings as a dataset of Hugging Face's LeRobot (format v3.0), without video: the tasks have no cameras."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mereq_algo.recording.episode import RecordedEpisode, RecordingError
from mereq_algo.recording.joining import exported_as, until_not_finite
from mereq_algo.recording.whole_folder import write_whole_folder

_CHUNK_SIZE = 1_000
_DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"


def export_lerobot(episodes: Sequence[RecordedEpisode], folder: Path, task: str | None = None) -> list[RecordedEpisode]:
    """Write a dataset that ``LeRobotDataset(repo_id, root=folder)`` reads: the whole of it, or nothing.

    A frame has ``observation.state``, the same once more as ``observation.environment_state``, ``action``,
    ``next.reward``, ``next.done`` and ``next.success``, and of supervision ``intervention`` (whether the person acted),
    ``policy_action`` (what the robot proposed) and ``task_features``.

    The observation is there twice because policies without pictures demand the second name (ACT), or both (diffusion).

    Args:
        episodes: Of one task, one rate and one scale of actions; discarded ones are left out, and an episode ends
            before a step whose numbers are not all finite.
        folder: Where to write; there must be nothing yet, or an empty folder.
        task: The task in words; its id when left out.

    Returns:
        The episodes that were written.

    Raises:
        RecordingError: The episodes do not belong together, do not say how long a step is, or LeRobot cannot hold
            them.
        WriteError: The folder cannot be written.
    """
    episodes = until_not_finite(episodes)
    rate = episodes[0].info.rate_hz
    if rate is None:
        raise RecordingError("these recordings do not say how long a step is, which LeRobot needs to know")
    with exported_as("LeRobot"):
        write_whole_folder(folder, lambda place: _write(episodes, place, task or episodes[0].info.task, rate))
    return episodes


def _write(episodes: Sequence[RecordedEpisode], folder: Path, task: str, rate: float) -> None:
    frames = [_frames(episode, index, rate) for index, episode in enumerate(episodes)]
    data = pd.concat(frames, ignore_index=True)
    data["index"] = np.arange(len(data))
    features = _features(episodes[0])
    stats = {name: _statistics(data[name]) for name in features}

    lengths = np.array([len(frame) for frame in frames])
    columns: dict[str, Any] = {
        "episode_index": np.arange(len(frames)),
        "tasks": [[task]] * len(frames),
        "length": lengths,
        "dataset_from_index": lengths.cumsum() - lengths,
        "dataset_to_index": lengths.cumsum(),
        **dict.fromkeys(
            (f"{part}/{kind}_index" for part in ("data", "meta/episodes") for kind in ("chunk", "file")), 0
        ),
    }
    for name in features:
        of_episodes = [_statistics(frame[name]) for frame in frames]
        columns |= {f"stats/{name}/{key}": [found[key] for found in of_episodes] for key in stats[name]}
    table = pd.DataFrame(columns)

    data_file = folder / _DATA_PATH.format(chunk_index=0, file_index=0)
    for file in (data_file, folder / _EPISODES_PATH):
        file.parent.mkdir(parents=True, exist_ok=True)
    data.to_parquet(data_file, index=False)
    table.to_parquet(folder / _EPISODES_PATH, index=False)
    pd.DataFrame({"task_index": [0]}, index=pd.Index([task], name="task")).to_parquet(folder / "meta" / "tasks.parquet")
    _write_json(folder / "meta" / "stats.json", stats)
    _write_json(
        folder / "meta" / "info.json",
        {
            "codebase_version": "v3.0",
            "robot_type": "fr3",
            "total_episodes": len(frames),
            "total_frames": len(data),
            "total_tasks": 1,
            "chunks_size": _CHUNK_SIZE,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": round(rate) if abs(rate - round(rate)) < 1e-6 * rate else rate,
            "splits": {"train": f"0:{len(frames)}"},
            "data_path": _DATA_PATH,
            "video_path": None,
            "features": features,
        },
    )


def _frames(episode: RecordedEpisode, index: int, rate: float) -> pd.DataFrame:
    steps, length = episode.transitions, len(episode)
    success = np.zeros(length, dtype=bool)
    success[-1] = bool(episode.info.success)
    number = np.arange(length)
    return pd.DataFrame(
        {
            "observation.state": _column(steps["obs"]),
            "observation.environment_state": _column(steps["obs"]),
            "action": _column(steps["action"]),
            "policy_action": _column(episode.robot_action),
            "intervention": episode.in_control.numpy(),
            "task_features": _column(steps["features"]),
            "next.reward": steps["base_reward"].numpy(),
            "next.done": number + 1 == length,
            "next.success": success,
            "timestamp": (number / rate).astype(np.float32),
            "frame_index": number,
            "episode_index": np.full(length, index),
            "index": number,
            "task_index": np.zeros(length, dtype=np.int64),
        }
    )


def _column(values: torch.Tensor) -> np.ndarray | list[np.ndarray]:
    """Return a vector a row; plain numbers where vectors have a single one, as LeRobot wants it."""
    return values[:, 0].numpy() if values.shape[1] == 1 else list(values.numpy())


def _features(episode: RecordedEpisode) -> dict[str, dict[str, Any]]:
    steps, info = episode.transitions, episode.info

    def numbers(names: Sequence[str]) -> dict[str, Any]:
        return {"dtype": "float32", "shape": [len(names)], "names": list(names)}

    def single(dtype: str) -> dict[str, Any]:
        return {"dtype": dtype, "shape": [1], "names": None}

    obs = _names(info.obs_columns or info.obs_names, "observation", steps["obs"].shape[1])
    actions = _names(info.action_columns, "action", steps["action"].shape[1])
    return {
        "observation.state": numbers(obs),
        "observation.environment_state": numbers(obs),
        "action": numbers(actions),
        "policy_action": numbers(actions),
        "intervention": single("bool"),
        "task_features": numbers(info.feature_names),
        "next.reward": single("float32"),
        "next.done": single("bool"),
        "next.success": single("bool"),
        "timestamp": single("float32"),
        **{name: single("int64") for name in ("frame_index", "episode_index", "index", "task_index")},
    }


def _names(names: Sequence[str], what: str, width: int) -> list[str]:
    """Return a name for each column, all different: recordings of earlier versions name terms of several columns."""
    if len(names) != width or max(Counter(names).values(), default=0) > 1:
        return [f"{what}_{index}" for index in range(width)]
    return list(names)


def _statistics(column: Any) -> dict[str, list]:
    values = np.stack([np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in column])
    quantiles = {f"q{share:02d}": np.quantile(values, share / 100, axis=0) for share in (1, 10, 50, 90, 99)}
    moments = {
        "min": values.min(axis=0),
        "max": values.max(axis=0),
        "mean": values.mean(axis=0),
        "std": values.std(axis=0),
    }
    return {**{name: found.tolist() for name, found in (moments | quantiles).items()}, "count": [len(values)]}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
