# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Recordings that are made in a moment, and changed as somebody else's program might have written them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import torch
from tensordict import TensorDict

from mereq_algo.meaning import ContractSettings, PolicyMeaning
from mereq_algo.recording import RecordedEpisode, RecordingInfo, write_episode

MEANING = PolicyMeaning(20.0, {"tool.step_size": [0.05, 0.05, 0.05]}, contract=ContractSettings({"sim.dt": 0.01}))
INFO = RecordingInfo(
    task="Linear",
    person="Ada",
    policy_sha256="0",
    obs_names=("state",),
    feature_names=("state", "push"),
    metric_names=("success",),
    reward_names=("distance",),
    step_s=0.05,
    meaning=MEANING,
)


def episode(num_steps: int = 6, intervenes: bool = True, **info: Any) -> RecordedEpisode:
    """An episode of a task with one number of state and one of action; a person acts in its second half."""
    state = torch.linspace(-0.5, 0.5, num_steps + 1).unsqueeze(1)
    action = torch.full((num_steps, 1), 0.25)
    return RecordedEpisode(
        info=dataclasses.replace(INFO, **info),
        transitions=TensorDict(
            {
                "obs": state[:-1],
                "action": action,
                "features": torch.cat((state[:-1].abs(), action), dim=1),
                "base_reward": -state[:-1, 0].abs(),
                "next_obs": state[1:],
                "terminated": torch.zeros(num_steps, dtype=torch.bool),
            },
            batch_size=[num_steps],
        ),
        robot_action=torch.zeros(num_steps, 1),
        in_control=(torch.arange(num_steps) >= num_steps // 2) & intervenes,
        metrics=torch.ones(num_steps, 1),
        reward_terms=-state[:-1].abs(),
    )


def with_column(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Rewrites a column of a file."""

    def harm(file: Path) -> None:
        with h5py.File(file, "a") as written:
            demo: Any = written["data/demo_0"]
            values = change(demo[name][()])
            del demo[name]
            demo[name] = values

    return harm


def with_info(**changes: Any) -> Callable[[Path], None]:
    """Rewrites what a file says of itself; ``...`` takes an entry away."""

    def harm(file: Path) -> None:
        with h5py.File(file, "a") as written:
            demo: Any = written["data/demo_0"]
            values = json.loads(demo.attrs["info"]) | changes
            demo.attrs["info"] = json.dumps({name: value for name, value in values.items() if value is not ...})

    return harm


def spins(file: Path) -> None:
    """Damages the size of an object so that HDF5 goes round in its heap for ever (HDF5 2.0)."""
    _damage(file, b"mereq-recording\0", 25, lambda byte: byte + 1)


def crashes(file: Path) -> None:
    """Damages the type of an attribute so that HDF5 reads where it must not (HDF5 2.0)."""
    _damage(file, b"format\0\0\x19", 9, lambda byte: 255)


def _damage(file: Path, mark: bytes, offset: int, change: Callable[[int], int]) -> None:
    content = bytearray(file.read_bytes())
    place = content.index(mark) + offset
    content[place] = change(content[place])
    file.write_bytes(content)


def write(folder: Path, *names: str, **info: Any) -> list[Path]:
    """Files of an episode each, no two of one name alike."""
    for name in names:
        write_episode(folder / name, episode(**{"recorded_at": name, **info}))
    return [folder / name for name in names]
