# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Films of an analytic task, whose pictures are a bar as wide as the state."""

from __future__ import annotations

import itertools
import signal
import stat
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import psutil
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
    check_encoder,
    film_episodes,
    make_film,
    num_frames,
    pane_size,
    write_webp,
)
from mereq_algo.film.frame import HEADER, MARGIN, NAME
from mereq_algo.film.frame import TRACE as TRACE_HEIGHT
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
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
    frame = painter.paint([pane(40), pane(200)], "note")
    assert frame.shape == (HEIGHT, WIDTH, 3)
    width, height = pane_size(2)
    for shade in (40, 200):
        assert (frame == shade).all(axis=2).sum() == width * height


def test_the_person_is_seen_while_they_act():
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
    acting = torch.tensor([False, False, True, True, True])
    orange = (230, 126, 0)

    def num_orange(**changes) -> int:
        return int((painter.paint([pane(**changes), pane()], "") == orange).all(axis=2).sum())

    assert num_orange(num_takeovers=0) == 0
    assert num_orange(num_takeovers=1, in_control=acting) > 2 * sum(pane_size(2)), "a frame around the pane"
    assert num_orange(in_control=acting) == 0, "where nobody supervises, nobody is drawn"


def test_success_and_failure_are_told_apart():
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
    frames = [painter.paint([pane(success=success), pane()], "") for success in (None, True, False)]
    assert not (frames[0] == frames[1]).all() and not (frames[1] == frames[2]).all()


CURVE, SHADE = (0, 92, 175), (209, 236, 224)


def plot_rows(frame: np.ndarray, step: float, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows of a colour in the first pane's plot, at a step of 10, as values of the trace."""
    tolerance = 90 if colour == CURVE else 12  # a thin line is blended with what is around it
    width, height = pane_size(2)
    left, right, top, bottom = 40, 10, 32, 12  # room around the plot within its strip
    x = round(MARGIN + left + (width - left - right) * step / 9)
    strip = frame[HEADER + NAME + height : HEIGHT - MARGIN, x].astype(int)
    rows = np.flatnonzero(np.abs(strip - colour).max(axis=1) < tolerance)
    return 1.0 - (rows - top) / (TRACE_HEIGHT - top - bottom)


def test_the_trace_is_drawn_to_scale_with_what_the_person_likes_shaded():
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
    values = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9])
    frame = painter.paint([pane(trace=values, in_control=torch.zeros(7, dtype=torch.bool)), pane()], "")
    shaded = plot_rows(frame, 8.5, SHADE)
    assert shaded.min() == pytest.approx(0.2, abs=0.03) and shaded.max() == pytest.approx(0.6, abs=0.03)
    for step, value in ((1.5, 0.1), (4.5, 0.9)):
        assert plot_rows(frame, step, CURVE).mean() == pytest.approx(value, abs=0.04)


def test_where_the_figure_has_no_value_there_is_a_gap():
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
    values = torch.tensor([0.5, 0.5, torch.nan, torch.nan, 0.5, 0.5, 0.5])
    frame = painter.paint([pane(trace=values, in_control=torch.zeros(7, dtype=torch.bool)), pane()], "")
    drawn = {step: len(plot_rows(frame, step, CURVE)) > 0 for step in (0.5, 1.5, 2.5, 3.5, 4.5, 5.5)}
    assert drawn == {0.5: True, 1.5: False, 2.5: False, 3.5: False, 4.5: True, 5.5: True}


def test_a_long_name_makes_room_for_the_outcome():
    name = "2026-11-23_17-38-20_of_a_run_whose_name_is_far_too_long_for_a_pane"
    painter = FramePainter(("Title", "What is asked."), [name, "two"], TRACE, 10, STEP_DT)
    without = FramePainter(("Title", "What is asked."), ["", "two"], TRACE, 10, STEP_DT)
    views = [pane(success=True), pane()]
    width, _ = pane_size(2)
    line = np.s_[HEADER : HEADER + NAME, MARGIN + width - 120 : MARGIN + width]
    assert (painter.paint(views, "")[line] == without.paint(views, "")[line]).all()


def test_a_trace_beyond_the_axis_is_drawn_at_its_end():
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
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
    from PIL import Image

    _, files, _ = film
    assert len(files.stills) == 4 and all(Image.open(still).size == (WIDTH, HEIGHT) for still in files.stills)
    with Image.open(files.animation) as animation:
        assert animation.format == "WEBP" and animation.n_frames > 10
    assert files.animation.stat().st_size <= 4_000_000


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
        # Encodes the trial frames, and gives up in the middle of the film.
        (
            'case "$*" in *lavfi*) exit 0;; esac; head -c 3000000 >/dev/null; echo "disk full" >&2; exit 1',
            "ffmpeg failed: disk full",
        ),
        # Takes everything and writes nothing.
        ('case "$*" in *lavfi*) exit 0;; esac; cat >/dev/null', "ffmpeg failed: exit status 0"),
    ],
    ids=["missing", "no H.264", "gives up", "writes nothing"],
)
def test_a_broken_encoder_is_told_in_one_line_and_leaves_no_file(script, told, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", fake_ffmpeg(tmp_path, script) if script else str(tmp_path / "missing"))
    folder = tmp_path / "film"
    with pytest.raises(FilmError, match=told) as error:
        make_film(
            BarStage(SupervisedLinearEnv(num_envs=1), 1),
            {"one": [episode(20)]},
            ("Bars", "Push the bars."),
            TRACE,
            STEP_DT,
            folder,
        )
    assert "\n" not in str(error.value) and capfd.readouterr().err == ""
    assert not folder.exists() or not list(folder.iterdir())


def test_what_cannot_be_encoded_is_found_out_before_anything_is_drawn(tmp_path, monkeypatch):
    script = 'case "$*" in *libwebp*) echo "Unknown encoder libwebp_anim" >&2; exit 1;; esac'
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", fake_ffmpeg(tmp_path, script))
    with pytest.raises(FilmError, match="libwebp_anim"):
        check_encoder()


def test_a_film_takes_the_place_of_an_earlier_one_when_it_is_ready(tmp_path, monkeypatch):
    stage = BarStage(SupervisedLinearEnv(num_envs=1), 1)

    def film(*lengths: int) -> None:
        make_film(stage, {"one": [episode(n) for n in lengths]}, ("Bars", ""), TRACE, STEP_DT, tmp_path)

    def files() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    film(4, 4)
    first = files()
    assert set(first) == {"comparison.mp4", "comparison.webp", *(f"still_{n}.png" for n in (1, 2, 3, 4))}
    (tmp_path / ".unfinished_film_killed").mkdir()
    monkeypatch.setattr("mereq_algo.film.film.write_webp", lambda *files: (_ for _ in ()).throw(FilmError("full")))
    with pytest.raises(FilmError, match="full"):
        film(8)
    assert files() == first, "the earlier film stays as it was, and nothing is left of the other"
    monkeypatch.undo()
    film(8)
    assert set(files()) == {"comparison.mp4", "comparison.webp", "still_1.png", "still_2.png"}


DRAW_FOREVER = """
import sys
sys.path[:0] = sys.argv[1:3]
from _common import one_line_errors
from tests.mereq_algo.test_film import *

class SlowStage(BarStage):
    def show(self, snapshot):
        print("drawing", flush=True)
        return super().show(snapshot)

with one_line_errors():
    stage = SlowStage(SupervisedLinearEnv(num_envs=1), 1)
    make_film(stage, {"one": [episode(100_000)]}, ("Bars", ""), TRACE, STEP_DT, Path(sys.argv[3]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "asked to end"])
def test_a_program_that_is_ended_while_it_draws_leaves_no_file(number, tmp_path):
    repository = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", DRAW_FOREVER, str(repository / "scripts"), str(repository), str(tmp_path)]
    # A shell that starts tests in the background has them ignore Ctrl-C.
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None and process.stdout.readline() == b"drawing\n"
    assert [file.name for file in tmp_path.iterdir()], "the film is being made"
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert not list(tmp_path.iterdir())


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
