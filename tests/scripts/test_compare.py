# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The comparison video, on the real simulator and renderer: what is seen in it is what happened."""

from __future__ import annotations

from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from mereq_lab.film import FRAMES_PER_S, HEIGHT, WIDTH, pane_size
from mereq_lab.film.film import HOLD_S
from mereq_lab.film.frame import HEADER, MARGIN, NAME

from .conftest import run_script

EPISODE_S = 2.5

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600), pytest.mark.xdist_group("film")]


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> tuple[Path, str]:
    """Folder and printed text of a film of prior and expert, supervised."""
    folder = tmp_path_factory.mktemp("film")
    options = ["--policies", "prior", "expert", "--episodes", "1", "--supervised", "--output", str(folder)]
    result = run_script("compare.py", *options, "--seed", "1", f"env.episode_length_s={EPISODE_S}")
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


@pytest.fixture(scope="module")
def frames(film) -> np.ndarray:
    """All frames. Shape: (num_frames, height, width, 3)."""
    reader = imageio_ffmpeg.read_frames(str(film[0] / "comparison.mp4"))
    about = next(reader)
    assert about["size"] == (WIDTH, HEIGHT) and about["fps"] == FRAMES_PER_S and about["codec"].startswith("h264")
    return np.stack([np.frombuffer(frame, np.uint8).reshape(HEIGHT, WIDTH, 3) for frame in reader])


def panes(frames: np.ndarray, num_panes: int = 2) -> list[np.ndarray]:
    """The pictures of each pane, a little smaller than they are: compression blurs their edges."""
    width, height = pane_size(num_panes)
    top = HEADER + NAME
    lefts = [MARGIN + index * (width + MARGIN) for index in range(num_panes)]
    return [frames[:, top + 8 : top + height - 8, left + 8 : left + width - 8].astype(int) for left in lefts]


def num_ink(picture: np.ndarray) -> int:
    """Pixels as red as the marker; nothing else in the scene is."""
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    return int(((red > 100) & (red - green > 60) & (red - blue > 50)).sum())


def test_the_film_is_as_long_as_the_episode_and_its_end(frames):
    assert len(frames) == round(EPISODE_S * FRAMES_PER_S) + round(HOLD_S * FRAMES_PER_S)


def test_panes_start_alike_and_part(frames):
    """The same seed is the same start; then prior and expert go their own ways."""
    prior, expert = panes(frames)
    differences = np.abs(prior - expert).mean(axis=(1, 2, 3))
    assert differences[0] < 0.5 and differences.max() > 2.0


def test_something_moves_in_every_moment(frames):
    """Until the episode is over; a picture is drawn for every frame, also between two steps of the policy."""
    for pane in panes(frames):
        moving = pane[: round(EPISODE_S * FRAMES_PER_S)]
        assert (np.abs(np.diff(moving, axis=0)).max(axis=(1, 2, 3)) > 8).all()


def test_ink_goes_where_the_expert_presses(frames):
    expert = panes(frames)[1]
    assert num_ink(expert[0]) > 200, "the stroke is seen before it is erased"
    # The arm hides a part of the stroke in between, so the ends are compared.
    assert num_ink(expert[-1]) < 0.3 * num_ink(expert[0])


def test_the_scene_is_neither_burnt_out_nor_dark(frames):
    for pane in panes(frames):
        brightness = pane[0].mean(axis=2)
        assert (brightness > 253).mean() < 0.02 and (brightness < 8).mean() < 0.05
        assert 60 < brightness.mean() < 200


def test_the_person_is_seen_and_counted(film, frames):
    """The prior is taken over; while it is, its pane has an orange frame."""
    _, printed = film
    (line,) = (line for line in printed.splitlines() if line.startswith("prior:"))
    assert int(line.split(", ")[1].split()[0]) >= 1, line
    width = pane_size(2)[0]
    edge = frames[:, HEADER + NAME + 2, MARGIN + 20 : MARGIN + width - 20].astype(int)
    orange = ((edge[..., 0] > 190) & (edge[..., 1] < 160) & (edge[..., 2] < 70)).mean(axis=1) > 0.9
    assert orange.any() and not orange.all()


def test_stills_and_the_animated_picture_are_there(film):
    folder, _ = film
    assert {file.name for file in folder.iterdir()} == {
        "comparison.mp4",
        "comparison.webp",
        "still_1.png",
        "still_2.png",
    }
    assert (folder / "comparison.webp").stat().st_size < 4_000_000
