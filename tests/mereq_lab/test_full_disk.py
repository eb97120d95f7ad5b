# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whatever writes on a full disk ends in one line that names the cause, and leaves nothing half-written.

Files of runs and recordings are in ``test_atomic_write.py``; these are the other writers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mereq_algo.atomic_write import DISK_ERRORS
from mereq_algo.networks import GaussianPolicy, PolicyCfg
from mereq_lab.benchmark import write_plots
from mereq_lab.datasets.lerobot import export_lerobot
from mereq_lab.datasets.robomimic import export_robomimic
from mereq_lab.export import DeterministicPolicy, write_model
from mereq_lab.film.encoder import VideoEncoder, write_webp
from mereq_lab.program import USER_ERRORS

from ..mereq_algo.recordings import episode
from .test_benchmark import RUNS


def _policy(folder: Path) -> None:
    write_model(DeterministicPolicy(GaussianPolicy(8, 3, PolicyCfg(hidden_dims=(64, 64)))), folder, "policy")


def _video(file: Path) -> None:
    noise = np.random.default_rng(0)
    with VideoEncoder(file, 320, 240, 30) as video:
        for _ in range(30):
            video.add(noise.integers(0, 255, (240, 320, 3), dtype=np.uint8))


def _picture(folder: Path, elsewhere: Path) -> None:
    _video(elsewhere / "video.mp4")
    write_webp(elsewhere / "video.mp4", folder / "video.webp")


WRITERS: dict[str, Callable[[Path, Path], Any]] = {
    "robomimic": lambda disk, _: export_robomimic([episode() for _ in range(20)], disk / "all.hdf5"),
    "lerobot": lambda disk, _: export_lerobot([episode() for _ in range(20)], disk / "dataset"),
    "policy": lambda disk, _: _policy(disk),
    "video": lambda disk, _: _video(disk / "video.mp4"),
    "animated picture": _picture,
    "plots": lambda disk, _: write_plots(disk, RUNS, ["mereq", "iwr_ft"]),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("left", [0, 20_000])
def test_a_full_disk_is_one_line_and_nothing_half_written_stays(small_disk, tmp_path, writer, left):
    with contextlib.suppress(OSError), (small_disk / "other").open("wb", buffering=0) as other:
        while True:
            other.write(bytes(4096))
    with (small_disk / "other").open("r+b") as other:
        other.truncate((small_disk / "other").stat().st_size - left)
    with pytest.raises((ValueError, OSError)) as error:
        WRITERS[writer](small_disk, tmp_path)
    if isinstance(error.value, OSError):
        assert error.value.errno in DISK_ERRORS, "scripts turn these into one line"
    else:
        assert isinstance(error.value, USER_ERRORS)
        assert any(words in str(error.value) for words in ("disk is full", "No space left")), error.value
        assert "\n" not in str(error.value)
    assert [file.name for file in small_disk.iterdir()] == ["other"]
