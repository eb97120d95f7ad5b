# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Encoders that do not work and films that are broken off: told in one line, and no file is left."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mereq_lab.film import FRAMES_PER_S, HEIGHT, WIDTH, FilmError, VideoEncoder, check_encoder, make_film, write_webp

from ..mereq_algo.supervised_env import SupervisedLinearEnv
from .film_stage import STEP_DT, TRACE, BarStage, episode


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
    monkeypatch.setattr("mereq_lab.film.film.write_webp", lambda *files: (_ for _ in ()).throw(FilmError("full")))
    with pytest.raises(FilmError, match="full"):
        film(8)
    assert files() == first, "the earlier film stays as it was, and nothing is left of the other"
    monkeypatch.undo()
    film(8)
    assert set(files()) == {"comparison.mp4", "comparison.webp", "still_1.png", "still_2.png"}


DRAW_FOREVER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from mereq_lab.program import one_line_errors
from mereq_lab.film import make_film
from tests.mereq_lab.film_stage import STEP_DT, TRACE, BarStage, episode
from tests.mereq_algo.supervised_env import SupervisedLinearEnv

class SlowStage(BarStage):
    def show(self, snapshot):
        print("drawing", flush=True)
        return super().show(snapshot)

with one_line_errors():
    stage = SlowStage(SupervisedLinearEnv(num_envs=1), 1)
    make_film(stage, {"one": [episode(100_000)]}, ("Bars", ""), TRACE, STEP_DT, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "asked to end"])
def test_a_program_that_is_ended_while_it_draws_leaves_no_file(number, tmp_path):
    repository = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", DRAW_FOREVER, str(repository), str(tmp_path)]
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
    monkeypatch.setattr("mereq_lab.film.encoder.WEBP_LIMIT", 1000)
    noise = np.random.default_rng(0)
    with VideoEncoder(tmp_path / "a.mp4", WIDTH, HEIGHT, FRAMES_PER_S) as video:
        for _ in range(6):
            video.add(noise.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
    with pytest.raises(FilmError, match="too long"):
        write_webp(tmp_path / "a.mp4", tmp_path / "a.webp")
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
