# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Frames in, a video file out: one frame at a time, and a file that is either complete or not there."""

from __future__ import annotations

import os
import subprocess
import tempfile
import uuid
from pathlib import Path
from types import TracebackType

import imageio_ffmpeg
import numpy as np

from mereq_algo.atomic_write import CAUSES, DISK_ERRORS
from mereq_algo.errors import UserError

WEBP_STEPS = ((800, 10, 80), (800, 10, 50), (640, 8, 40), (480, 6, 30), (400, 4, 20))
"""Width of the animated picture [px], its frames a second and its quality, from what looks best in a README to what
still shows an arm."""

WEBP_LIMIT = 4_000_000
"""Largest animated picture [bytes]; a README has to load on a phone."""


class FilmError(UserError):
    """A film cannot be made. The message is one line."""


def _ffmpeg() -> str:
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise FilmError("no ffmpeg: the package imageio-ffmpeg brings one, or IMAGEIO_FFMPEG_EXE names one") from error


def check_encoder() -> None:
    """Encode one tiny frame in both formats, before minutes of drawing end in nothing.

    Raises:
        FilmError: There is no ffmpeg, or it cannot encode H.264 or WebP.
    """
    source = ("-f", "lavfi", "-i", "color=size=64x64:rate=30", "-frames:v", "1")
    for codec in ("libx264", "libwebp_anim"):
        _run(*source, "-c:v", codec, "-pix_fmt", "yuv420p", "-f", "null", "-")


def _command(*arguments: str) -> list[str]:
    return [_ffmpeg(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments]


def _run(*arguments: str) -> None:
    command = _command(*arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise FilmError(f"ffmpeg does not start: {command[0]} ({error.strerror})") from error
    if done.returncode != 0:
        raise FilmError(_what_failed(command[0], done.returncode, done.stderr))


def _what_failed(program: str, status: int, printed: str) -> str:
    lines = printed.strip().splitlines() or [f"exit status {status}"]
    causes = {number: os.strerror(number) for number in DISK_ERRORS}
    for number, cause in causes.items():  # what it says last may be what follows from that
        if any(cause in line for line in lines):
            return f"ffmpeg failed: {CAUSES[number]} ({program})"
    return f"ffmpeg failed: {lines[-1]} ({program})"


class VideoEncoder:
    """Writes H.264 that plays in a browser. A context manager; the file is there when it is left without an error."""

    def __init__(self, path: Path, width: int, height: int, frames_per_s: int) -> None:
        """Name the file.

        Args:
            path: An mp4 file.
            width: A multiple of 2 [px].
            height: A multiple of 2 [px].
            frames_per_s: Frames a second.
        """
        self._path = path
        self._temporary = path.with_name(f".{uuid.uuid4().hex}_{path.name}")
        self._command = _command(
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(frames_per_s), "-i", "-"),
            # A constant quality that keeps type sharp; the index at the front, so that browsers play while they load.
            *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "20", "-preset", "veryfast"),
            *("-movflags", "+faststart", "-f", "mp4", str(self._temporary)),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 (closed on exit)

    def __enter__(self) -> VideoEncoder:
        """Start ffmpeg.

        Raises:
            FilmError: It does not start.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # In a session of its own: Ctrl-C is for the program that draws, which then ends this one.
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stderr=self._printed, start_new_session=True
            )
        except OSError as error:
            raise FilmError(f"ffmpeg does not start: {self._command[0]} ({error.strerror})") from error
        return self

    def add(self, frame: np.ndarray) -> None:
        """Encode one frame.

        Args:
            frame: Shape: (height, width, 3), dtype: uint8

        Raises:
            FilmError: ffmpeg has given up.
        """
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(frame).data)
        except OSError as error:
            raise self._failure() from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file, or remove what there is of it.

        Raises:
            FilmError: ffmpeg has given up.
        """
        assert self._process is not None and self._process.stdin is not None
        try:
            if kind is not None:
                self._process.kill()
                return
            try:
                self._process.stdin.close()
            except OSError as broken:
                raise self._failure() from broken
            if self._process.wait() != 0 or not self._temporary.is_file():
                raise self._failure()
            self._temporary.replace(self._path)
        finally:
            self._process.wait()
            self._printed.close()
            self._temporary.unlink(missing_ok=True)

    def _failure(self) -> FilmError:
        assert self._process is not None
        status = self._process.wait()
        self._printed.seek(0)
        return FilmError(_what_failed(self._command[0], status, self._printed.read().decode(errors="replace")))


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
