# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Frames in, a video file out: one frame at a time, and a file that is either complete or not there."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Generator
from pathlib import Path
from types import TracebackType

import imageio_ffmpeg
import numpy as np

WEBP_STEPS = ((800, 10, 80), (800, 10, 50), (640, 8, 40), (480, 6, 30), (400, 4, 20))
"""Width of the animated picture [px], its frames a second and its quality, from what looks best in a README to what
still shows an arm."""

WEBP_LIMIT = 4_000_000
"""Largest animated picture [bytes]; a README has to load on a phone."""


class FilmError(ValueError):
    """A film cannot be made. The message is one line."""


def _ffmpeg() -> str:
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise FilmError("no ffmpeg: the package imageio-ffmpeg brings one, or IMAGEIO_FFMPEG_EXE names one") from error


def check_encoder() -> None:
    """Encode one tiny frame, before minutes of drawing end in nothing.

    Raises:
        FilmError: There is no ffmpeg, or it cannot encode H.264.
    """
    source = ("-f", "lavfi", "-i", "color=size=64x64:rate=30", "-frames:v", "1")
    _run(*source, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-f", "null", "-")


def _run(*arguments: str) -> None:
    command = [_ffmpeg(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise FilmError(f"ffmpeg does not start: {command[0]} ({error.strerror})") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise FilmError(f"ffmpeg failed: {lines[-1]} ({command[0]})")


class VideoEncoder:
    """Writes H.264 that plays in a browser. A context manager; the file is there when it is left without an error."""

    def __init__(self, path: Path, width: int, height: int, frames_per_s: int) -> None:
        """Name the file.

        Args:
            path: An mp4 file.
            width: A multiple of 16 [px].
            height: A multiple of 16 [px].
            frames_per_s: Frames a second.
        """
        self._path = path
        self._size = (width, height)
        self._frames_per_s = frames_per_s
        self._temporary = path.with_name(f".{uuid.uuid4().hex}_{path.name}")
        self._frames: Generator[None, np.ndarray | None] | None = None
        self._num_frames = 0

    def __enter__(self) -> VideoEncoder:
        """Start ffmpeg.

        Raises:
            FilmError: There is none, or it does not start.
        """
        check_encoder()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._frames = frames = imageio_ffmpeg.write_frames(
            str(self._temporary),
            self._size,
            fps=self._frames_per_s,
            codec="libx264",
            quality=None,  # type: ignore[arg-type]  # documented: none but that of the parameters below
            # A constant quality that keeps type sharp; the index at the front, so that browsers play while they load.
            output_params=["-crf", "20", "-preset", "veryfast", "-movflags", "+faststart", "-f", "mp4"],
        )
        frames.send(None)
        return self

    def add(self, frame: np.ndarray) -> None:
        """Encode one frame.

        Args:
            frame: Shape: (height, width, 3), dtype: uint8

        Raises:
            FilmError: ffmpeg has given up.
        """
        assert self._frames is not None
        try:
            self._frames.send(np.ascontiguousarray(frame))
        except OSError as error:
            raise FilmError(f"ffmpeg gave up: {' '.join(str(error).split())[-200:]}") from error
        self._num_frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file, or remove what there is of it.

        Raises:
            FilmError: Fewer frames arrived in the file than were added.
        """
        assert self._frames is not None
        try:
            self._frames.close()
            if kind is not None:
                return
            self._check()
            self._temporary.replace(self._path)
        finally:
            self._temporary.unlink(missing_ok=True)

    def _check(self) -> None:
        # ffmpeg's exit status does not come through; a full disk would pass unnoticed.
        try:
            found, _ = imageio_ffmpeg.count_frames_and_secs(str(self._temporary))
        except (OSError, RuntimeError) as error:
            raise FilmError(f"ffmpeg wrote no readable video: {self._path}") from error
        if found != self._num_frames:
            raise FilmError(f"ffmpeg wrote {found} of {self._num_frames} frames: {self._path}")


def write_webp(video: Path, path: Path) -> None:
    """Make an animated WebP of a video, coarser and coarser until it is small enough for a README.

    Args:
        video: An mp4 file.
        path: The WebP file.

    Raises:
        FilmError: ffmpeg failed, or it stays too large at the lowest quality.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}_{path.name}")
    try:
        for width, frames_per_s, quality in WEBP_STEPS:
            filters = f"fps={frames_per_s},scale={width}:-1:flags=lanczos"
            encoder = ("-c:v", "libwebp_anim", "-q:v", str(quality), "-loop", "0")
            _run("-i", str(video), "-vf", filters, *encoder, str(temporary))
            if temporary.stat().st_size <= WEBP_LIMIT:
                temporary.replace(path)
                return
        raise FilmError(f"video is too long for an animated picture of {WEBP_LIMIT // 1_000_000} MB: {video}")
    finally:
        temporary.unlink(missing_ok=True)
