# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Films of an analytic task, whose pictures are a bar as wide as the state."""

from __future__ import annotations

import itertools
import stat
import tracemalloc
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from tensordict import TensorDict

from mereq_algo.film import (
    FRAMES_PER_S,
    HEIGHT,
    WIDTH,
    FilmedEpisode,
    FilmError,
    FramePainter,
    PaneView,
    Trace,
    VideoEncoder,
    film_episodes,
    make_film,
    num_frames,
    pane_size,
    write_webp,
)
from mereq_algo.runner import make_person

from .supervised_env import SupervisedLinearEnv, small_cfg, trained

TRACE = Trace("push", "N", preferred=(0.2, 0.6), limits=(0.0, 1.0))
STEP_DT = 0.05


class BarStage:
    """Draws the state of each robot as the width of a bar."""

    def __init__(self, env: SupervisedLinearEnv, num_panes: int) -> None:
        self.env = env
        self.width, self.height = pane_size(num_panes)

    def snapshot(self) -> TensorDict:
        state = self.env.state.clone()
        return TensorDict({"state": state, "trace": state.abs()}, batch_size=[self.env.num_envs])

    def between(self, first: TensorDict, second: TensorDict, share: float) -> TensorDict:
        return first + (second - first) * share

    def show(self, snapshot: TensorDict) -> torch.Tensor:
        share = (snapshot["state"].flatten() + 1.0) / 2.0
        columns = torch.arange(self.width) < share.unsqueeze(1) * self.width
        return (255 * columns).to(torch.uint8)[:, None, :, None].expand(-1, self.height, -1, 3)


def episode(num_steps: int, success: bool = True, in_control: list[int] | None = None) -> FilmedEpisode:
    state = torch.linspace(-0.9, 0.9, num_steps)
    acted = torch.zeros(num_steps, dtype=torch.bool)
    acted[in_control or []] = True
    return FilmedEpisode(TensorDict({"state": state, "trace": state.abs()}, batch_size=[num_steps]), acted, success)


def frames_of(video: Path) -> tuple[dict, list[np.ndarray]]:
    reader = imageio_ffmpeg.read_frames(str(video))
    about = next(reader)
    return about, [np.frombuffer(frame, np.uint8).reshape(about["size"][1], about["size"][0], 3) for frame in reader]


def pane(shade: int = 128, **changes) -> PaneView:
    width, height = pane_size(2)
    values = {
        "picture": np.full((height, width, 3), shade, np.uint8),
        "trace": torch.linspace(0.0, 1.0, 5),
        "in_control": torch.zeros(5, dtype=torch.bool),
        "num_takeovers": None,
        "success": None,
    }
    return PaneView(**{**values, **changes})


# --- episodes ---------------------------------------------------------------------------------------------------------


def test_policies_filmed_with_one_seed_start_in_the_same_states():
    env = SupervisedLinearEnv(num_envs=3)
    stage = BarStage(env, 3)
    lazy, eager = (film_episodes(env, stage, trained(push).policy, ("success",), 5, seed=4) for push in (0.1, 0.9))
    other = film_episodes(env, stage, trained(0.1).policy, ("success",), 5, seed=5)
    assert len(lazy) == len(eager) == 5
    for one, two in zip(lazy, eager, strict=True):
        assert torch.equal(one.snapshots[0]["state"], two.snapshots[0]["state"])
        assert one.num_steps == env.max_episode_length
        assert not torch.equal(one.snapshots[-1]["state"], two.snapshots[-1]["state"])
    assert not torch.equal(lazy[0].snapshots[0]["state"], other[0].snapshots[0]["state"])
    starts = torch.stack([filmed.snapshots[0]["state"] for filmed in lazy])
    assert len(starts.unique()) == 5, "every episode starts elsewhere, those of the second batch, too"


def test_success_is_what_the_task_says_at_the_end():
    """The metric of the analytic task is whether the state is above 0 in the end."""
    env = SupervisedLinearEnv(num_envs=4)
    filmed = film_episodes(env, BarStage(env, 4), trained(0.0).policy, ("success",), 4, seed=1)
    for one in filmed:
        # One step after the last snapshot, so only clear cases are told.
        if abs(float(one.snapshots[-1]["state"])) > 0.3:
            assert one.success == (float(one.snapshots[-1]["state"]) > 0.0)


def test_takeovers_are_filmed_and_counted():
    env = SupervisedLinearEnv(num_envs=2)
    person = make_person(small_cfg().person, trained(0.9), 2, seed=0, device="cpu")
    filmed = film_episodes(env, BarStage(env, 2), trained(-0.9).policy, ("success",), 2, seed=0, person=person)
    assert all(one.in_control.any() and one.num_takeovers >= 1 for one in filmed)
    alone = film_episodes(env, BarStage(env, 2), trained(-0.9).policy, ("success",), 2, seed=0)
    assert not any(one.in_control.any() for one in alone)


def test_a_takeover_is_a_change_of_hands():
    filmed = episode(8, in_control=[0, 1, 4, 5, 7])
    assert filmed.num_takeovers == 3
    assert [filmed.takeovers_until(step) for step in range(9)] == [0, 1, 1, 1, 1, 2, 2, 2, 3]


# --- frames -----------------------------------------------------------------------------------------------------------


def test_every_pane_is_where_it_belongs_and_nothing_is_painted_over_it():
    painter = FramePainter("Title", ["one", "two"], TRACE, 10, STEP_DT)
    frame = painter.paint([pane(40), pane(200)], "note")
    assert frame.shape == (HEIGHT, WIDTH, 3)
    width, height = pane_size(2)
    for shade in (40, 200):
        assert (frame == shade).all(axis=2).sum() == width * height


def test_the_person_is_seen_while_they_act():
    painter = FramePainter("Title", ["one", "two"], TRACE, 10, STEP_DT)
    acting = torch.tensor([False, False, True, True, True])
    orange = (230, 126, 0)

    def num_orange(**changes) -> int:
        return int((painter.paint([pane(**changes), pane()], "") == orange).all(axis=2).sum())

    assert num_orange(num_takeovers=0) == 0
    assert num_orange(num_takeovers=1, in_control=acting) > 2 * sum(pane_size(2)), "a frame around the pane"
    assert num_orange(in_control=acting) == 0, "where nobody supervises, nobody is drawn"


def test_success_and_failure_are_told_apart():
    painter = FramePainter("Title", ["one", "two"], TRACE, 10, STEP_DT)
    frames = [painter.paint([pane(success=success), pane()], "") for success in (None, True, False)]
    assert not (frames[0] == frames[1]).all() and not (frames[1] == frames[2]).all()


def test_a_trace_beyond_the_axis_is_drawn_at_its_end():
    painter = FramePainter("Title", ["one", "two"], TRACE, 10, STEP_DT)
    high, higher = (painter.paint([pane(trace=torch.full((5,), value)), pane()], "") for value in (1.0, 50.0))
    assert (high == higher).all()


# --- films ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two panes, two episodes; the first pane's second episode ends early."""
    env = SupervisedLinearEnv(num_envs=2)
    episodes = {"one": [episode(10), episode(6, success=False)], "two": [episode(10, False), episode(10)]}
    folder = tmp_path_factory.mktemp("film")
    seen = []
    files = make_film(
        BarStage(env, 2), episodes, "Bars", TRACE, STEP_DT, folder, on_frame=lambda: seen.append(len(seen))
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
    from PIL import Image

    _, files, _ = film
    assert len(files.stills) == 4 and all(Image.open(still).size == (WIDTH, HEIGHT) for still in files.stills)
    with Image.open(files.animation) as animation:
        assert animation.format == "WEBP" and animation.n_frames > 10
    assert files.animation.stat().st_size <= 4_000_000


def test_memory_does_not_grow_with_length(tmp_path):
    env = SupervisedLinearEnv(num_envs=1)
    peaks = []
    for steps in (20, 80):
        tracemalloc.start()
        make_film(BarStage(env, 1), {"one": [episode(steps)]}, "Bars", TRACE, STEP_DT, tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < HEIGHT * WIDTH * 3, "the longer film has 90 frames more; not one may be kept"


# --- encoders that do not work ----------------------------------------------------------------------------------------


def fake_ffmpeg(folder: Path, script: str) -> str:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (None, "ffmpeg does not start"),
        ("echo 'Unknown encoder libx264' >&2; exit 1", "ffmpeg failed: Unknown encoder libx264"),
        # Encodes the trial frame, and gives up in the middle of the film.
        ('case "$*" in *lavfi*) exit 0;; esac; head -c 3000000 >/dev/null; echo "disk full" >&2; exit 1', "ffmpeg"),
        # Takes everything and writes nothing.
        ('case "$*" in *lavfi*) exit 0;; esac; cat >/dev/null', "ffmpeg wrote no readable video"),
    ],
    ids=["missing", "no H.264", "gives up", "writes nothing"],
)
def test_a_broken_encoder_is_told_in_one_line_and_leaves_no_file(script, told, tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", fake_ffmpeg(tmp_path, script) if script else str(tmp_path / "missing"))
    folder = tmp_path / "film"
    with pytest.raises(FilmError, match=told) as error:
        make_film(BarStage(SupervisedLinearEnv(num_envs=1), 1), {"one": [episode(20)]}, "Bars", TRACE, STEP_DT, folder)
    assert "\n" not in str(error.value)
    assert not folder.exists() or not list(folder.iterdir())


def test_an_interrupted_film_leaves_no_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoEncoder(tmp_path / "a.mp4", WIDTH, HEIGHT, FRAMES_PER_S) as video:
        video.add(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_an_animated_picture_that_stays_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("mereq_algo.film.encoder.WEBP_LIMIT", 1000)
    noise = np.random.default_rng(0)
    with VideoEncoder(tmp_path / "a.mp4", WIDTH, HEIGHT, FRAMES_PER_S) as video:
        for _ in range(6):
            video.add(noise.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
    with pytest.raises(FilmError, match="too long"):
        write_webp(tmp_path / "a.mp4", tmp_path / "a.webp")
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
