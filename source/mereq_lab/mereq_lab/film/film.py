# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Draws filmed episodes side by side, frame by frame, into a video, an animated picture and stills."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tensordict import TensorDict

from mereq_algo.atomic_write import write_buffered

from .encoder import VideoEncoder, write_webp
from .episode import FilmedEpisode, Stage
from .frame import HEIGHT, WIDTH, FramePainter, PaneView, Trace

FRAMES_PER_S = 30
"""Frames a second."""

HOLD_S = 1.2
"""How long the end of an episode stays, with its outcome [s]."""

_UNFINISHED = ".unfinished_film_"
"""How the names of folders begin in which a film is being made."""

STILL_AT = 0.55
"""Share of an episode near which a still is taken: the arm is at work, and the curves have a shape."""


@dataclass
class FilmFiles:
    """What was made."""

    video: Path
    animation: Path
    stills: list[Path]

    @classmethod
    def inside(cls, folder: Path) -> FilmFiles:
        """Return the files that a folder is to have, without stills yet."""
        return cls(folder / "comparison.mp4", folder / "comparison.webp", [])

    def move_to(self, folder: Path) -> FilmFiles:
        """Put the files in the place of an earlier film's."""
        for still in folder.glob("still_*.png"):
            still.unlink()
        video, animation, *stills = (
            file.replace(folder / file.name) for file in (self.video, self.animation, *self.stills)
        )
        return FilmFiles(video, animation, stills)


def num_frames(episodes: Mapping[str, Sequence[FilmedEpisode]], step_dt: float) -> int:
    """Return how many frames a film has.

    Args:
        episodes: Of every pane, by its name.
        step_dt: Time of a step [s].
    """
    scenes = zip(*episodes.values(), strict=True)
    return sum(_moving_frames(scene, step_dt) + _held_frames() for scene in scenes)


def _moving_frames(scene: Sequence[FilmedEpisode], step_dt: float) -> int:
    return math.ceil(max(episode.num_steps for episode in scene) * step_dt * FRAMES_PER_S)


def _held_frames() -> int:
    return round(HOLD_S * FRAMES_PER_S)


def _still_frame(scene: Sequence[FilmedEpisode], step_dt: float) -> int:
    """Return the frame at which a still is taken: near :data:`STILL_AT`, where most panes have a figure to show."""
    steps = max(episode.num_steps for episode in scene)
    num_shown = torch.zeros(steps)
    for episode in scene:
        num_shown[: episode.num_steps] += torch.isfinite(episode.snapshots["trace"])
    candidates = (num_shown == num_shown.max()).nonzero().flatten()
    nearest = candidates[(candidates - STILL_AT * steps).abs().argmin()]
    last = _moving_frames(scene, step_dt) - 1  # of which there is a still anyhow
    return min(math.ceil(int(nearest) * step_dt * FRAMES_PER_S), last - 1)


def make_film(
    stage: Stage,
    episodes: Mapping[str, Sequence[FilmedEpisode]],
    title: tuple[str, str],
    trace: Trace,
    step_dt: float,
    folder: Path,
    supervised: bool = False,
    on_frame: Callable[[], None] = lambda: None,
) -> FilmFiles:
    """Draw episodes side by side; one frame is in memory at a time. Files appear together, when all is well.

    Args:
        stage: Draws them, one robot a pane.
        episodes: Of every pane, by its name, in the same order and from the same initial states.
        title: Two lines at the top: the task's name, and what it asks for.
        trace: How the figure to watch is drawn.
        step_dt: Time of a step [s].
        folder: Where ``comparison.mp4``, ``comparison.webp`` and ``still_<n>.png`` go.
        supervised: Whether takeovers are shown.
        on_frame: Called after each frame.

    Returns:
        The files.

    Raises:
        FilmError: The film cannot be encoded; nothing is left of it, and an earlier one stays.
    """
    scenes = list(zip(*episodes.values(), strict=True))
    steps = max(episode.num_steps for scene in scenes for episode in scene)
    painter = FramePainter(title, list(episodes), trace, steps, step_dt)
    folder.mkdir(parents=True, exist_ok=True)
    for abandoned in folder.glob(f"{_UNFINISHED}*"):  # by a process that was killed
        shutil.rmtree(abandoned)
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder) as unfinished:
        files = FilmFiles.inside(Path(unfinished))
        with VideoEncoder(files.video, WIDTH, HEIGHT, FRAMES_PER_S) as video:
            for number, scene in enumerate(scenes, start=1):
                moving, still = _moving_frames(scene, step_dt), _still_frame(scene, step_dt)
                for index in range(moving):
                    time = index / FRAMES_PER_S
                    note = f"episode {number} of {len(scenes)} · {time:.1f} s"
                    panes = _panes(stage, scene, time / step_dt, supervised, ended=index == moving - 1)
                    frame = painter.paint(panes, note)
                    video.add(frame)
                    on_frame()
                    if index in (still, moving - 1):
                        files.stills.append(Path(unfinished) / f"still_{len(files.stills) + 1}.png")
                        _write_still(frame, files.stills[-1])
                for _ in range(_held_frames()):
                    video.add(frame)
                    on_frame()
        write_webp(files.video, files.animation)
        return files.move_to(folder)


def _write_still(frame: np.ndarray, file: Path) -> None:
    write_buffered(file, lambda stream: Image.fromarray(frame).save(stream, format="png"))


def _panes(stage: Stage, scene: Sequence[FilmedEpisode], step: float, supervised: bool, ended: bool) -> list[PaneView]:
    """Draw one moment of a scene; a pane whose episode is over shows its last state."""
    at = [min(step, episode.num_steps - 1) for episode in scene]
    moments = [
        stage.between(
            episode.snapshots[int(place)], episode.snapshots[min(int(place) + 1, episode.num_steps - 1)], place % 1.0
        )
        for episode, place in zip(scene, at, strict=True)
    ]
    pictures = stage.show(TensorDict.stack(moments)).cpu().numpy()
    panes = []
    for episode, place, picture in zip(scene, at, pictures, strict=True):
        so_far = int(place) + 1
        is_over = ended or step > episode.num_steps - 1
        panes.append(
            PaneView(
                picture,
                episode.snapshots["trace"][:so_far],
                episode.in_control[:so_far],
                episode.takeovers_until(so_far) if supervised else None,
                episode.success if is_over else None,
            )
        )
    return panes
