# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Films of an analytic task, whose pictures are a bar as wide as the state."""

from __future__ import annotations

import itertools
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import psutil
import pytest
from PIL import Image

from mereq_lab.film import FRAMES_PER_S, HEIGHT, WIDTH, make_film, num_frames

from ..mereq_algo.supervised_env import SupervisedLinearEnv
from .film_stage import STEP_DT, TRACE, BarStage, episode


def frames_of(video: Path) -> tuple[dict, list[np.ndarray]]:
    reader = imageio_ffmpeg.read_frames(str(video))
    about = next(reader)
    return about, [np.frombuffer(frame, np.uint8).reshape(about["size"][1], about["size"][0], 3) for frame in reader]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two panes, two episodes; the first pane's second episode ends early."""
    env = SupervisedLinearEnv(num_envs=2)
    episodes = {"one": [episode(10), episode(6, success=False)], "two": [episode(10, False), episode(10)]}
    folder = tmp_path_factory.mktemp("film")
    seen = []
    files = make_film(
        BarStage(env, 2),
        episodes,
        ("Bars", "Push the bars."),
        TRACE,
        STEP_DT,
        folder,
        on_frame=lambda: seen.append(len(seen)),
    )
    return episodes, files, seen


def test_a_film_has_the_size_rate_and_length_that_were_announced(film):
    episodes, files, seen = film
    about, frames = frames_of(files.video)
    assert about["size"] == (WIDTH, HEIGHT) and about["fps"] == FRAMES_PER_S and about["codec"].startswith("h264")
    # 10 steps of 0.05 s are 15 frames, and each of the two episodes is held for 36.
    assert len(frames) == len(seen) == num_frames(episodes, STEP_DT) == 2 * (15 + 36)


def test_motion_is_smooth_between_steps(film):
    """20 steps a second at 30 frames a second: the bar grows in every frame."""
    _, files, _ = film
    _, frames = frames_of(files.video)
    widths = [int((frame[300, :640].mean(axis=1) > 128).sum()) for frame in frames[:14]]
    assert all(later > earlier for earlier, later in itertools.pairwise(widths))


def test_stills_and_an_animated_picture_come_with_it(film):
    _, files, _ = film
    assert len(files.stills) == 4 and all(Image.open(still).size == (WIDTH, HEIGHT) for still in files.stills)
    with Image.open(files.animation) as animation:
        assert animation.format == "WEBP" and animation.n_frames > 10
    assert files.animation.stat().st_size <= 4_000_000


def test_a_still_is_taken_where_there_is_a_figure_to_show(tmp_path):
    brief = episode(10)
    brief.snapshots["trace"][[0, 1, 4, 5, 6, 7, 8, 9]] = float("nan")
    panes = {"brief": [brief], "always": [episode(10)]}
    files = make_film(
        BarStage(SupervisedLinearEnv(num_envs=2), 2), panes, ("Bars", "Push the bars."), TRACE, STEP_DT, tmp_path
    )
    with Image.open(files.stills[0]) as still:
        row = np.asarray(still.convert("L"))[300]
    states = [2.0 * (half > 128).mean() - 1.0 for half in np.split(row, 2)]
    # Between steps 3 and 4, which are -0.3 and -0.1; a little past the middle it is 0.1.
    assert all(-0.3 < state < -0.1 for state in states), states


def test_memory_does_not_grow_with_length(tmp_path):
    """Of the whole process, so that Pillow's and torch's own memory counts. 270 frames are 750 MB."""
    env = SupervisedLinearEnv(num_envs=1)
    process = psutil.Process()
    seen = []
    for lengths in ([20], [20], [60, 60, 60]):  # the first fills caches
        seen.append([])
        make_film(
            BarStage(env, 1),
            {"one": [episode(steps) for steps in lengths]},
            ("Bars", "Push the bars."),
            TRACE,
            STEP_DT,
            tmp_path,
            on_frame=lambda: seen[-1].append(process.memory_info().rss),
        )
    assert max(seen[2]) - max(seen[1]) < 30e6
