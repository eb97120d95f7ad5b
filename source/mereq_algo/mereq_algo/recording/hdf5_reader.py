# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Reads recordings through a process of its own, with a time limit: HDF5 trusts its files, which come from anywhere."""

from __future__ import annotations

import io
import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np

from .checks import COLUMNS, MAX_STEPS, checked_episode, checked_info
from .episode import RecordedEpisode, RecordingError

FORMAT = "mereq-recording"
FORMAT_VERSION = 1

READ_LIMIT_S = 20.0
"""Most that reading a file may take, plus a second a megabyte [s]. An episode takes 0.01 s."""

MOST_BYTES = 2**30
"""Most that the columns of a file may take in memory. An hour at 20 Hz with 100 columns takes 60 MB."""

_GROUPS = {"metrics": "metric_names", "reward_terms": "reward_names"}


class RecordingReader:
    """Reads files one after the other; a context manager."""

    def __init__(self, limit_s: float | None = None) -> None:
        """Prepare; a process starts with the first file.

        Args:
            limit_s: Most that reading a file may take, plus a second a megabyte [s]; :data:`READ_LIMIT_S` if left out.
        """
        self._limit_s = READ_LIMIT_S if limit_s is None else limit_s
        self._worker: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def read(self, path: Path) -> list[RecordedEpisode]:
        """Read the episodes of a file: one as it was recorded, or many of an exported one.

        Raises:
            RecordingError: The file is missing, damaged, or no recording of this project.
        """
        try:
            if not path.is_file():
                raise RecordingError(f"recording not found: {path}")
            size = path.stat().st_size
        except OSError as error:
            raise RecordingError(f"recording cannot be read: {path} ({error.strerror})") from error
        try:
            header, arrays = self._ask(path, self._limit_s + size / 1e6)
            if "error" in header:
                raise RecordingError(header["error"])
            if header["format"] == FORMAT and header["recording_version"] == FORMAT_VERSION:
                return [
                    checked_episode(
                        checked_info(demo["info"]),
                        {name: arrays[str(index)] for name, index in demo["columns"].items()},
                    )
                    for demo in header["demos"]
                ]
        except RecordingError as error:
            raise RecordingError(f"recording is damaged: {path} ({error})") from error
        if header["format"] != FORMAT:
            raise RecordingError(f"not a recording of this project: {path}")
        version = header["recording_version"]
        raise RecordingError(f"recording has version {version}, this program reads {FORMAT_VERSION}: {path}")

    def _ask(self, path: Path, seconds: float) -> tuple[dict[str, Any], Any]:
        """Return the worker's header and arrays.

        Raises:
            RecordingError: It did not answer in time, or ended.
        """
        worker = self._worker or self._start()
        assert worker.stdin is not None
        order = json.dumps({"path": str(path.absolute()), "seconds": seconds})
        until = time.monotonic() + seconds
        try:
            worker.stdin.write(order.encode() + b"\n")
            answer = self._receive(int.from_bytes(self._receive(8, until), "little"), until)
        except (OSError, EOFError, TimeoutError) as error:
            status = self._end()
            if isinstance(error, TimeoutError):
                raise RecordingError(f"HDF5 did not finish reading it in {seconds:.0f} s") from error
            ended = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
            raise RecordingError(f"HDF5 ended while reading it: {ended}") from error
        try:
            arrays = np.load(io.BytesIO(answer), allow_pickle=False)
            return json.loads(arrays["header"].tobytes()), arrays
        except MemoryError as error:
            raise RecordingError("it needs too much memory") from error
        except RecursionError as error:
            raise RecordingError("its info is nested too deeply") from error

    def _start(self) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("hdf5_worker.py")
        # -P: this folder has a hdf5.py of its own, and more names that packages have.
        self._worker = subprocess.Popen(
            [sys.executable, "-P", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        assert self._worker.stdin is not None
        names = {"format": FORMAT, "version": FORMAT_VERSION, "columns": list(COLUMNS.values()), "groups": _GROUPS}
        names |= {"most_steps": MAX_STEPS, "most_bytes": MOST_BYTES}
        self._worker.stdin.write(json.dumps(names).encode() + b"\n")
        return self._worker

    def _receive(self, count: int, until: float) -> bytes:
        assert self._worker is not None and self._worker.stdout is not None
        output = self._worker.stdout
        poll = select.poll()
        poll.register(output, select.POLLIN)
        parts, left = [], count
        while left:
            if not poll.poll(1e3 * max(until - time.monotonic(), 0.0)):
                raise TimeoutError
            part = output.read(min(left, 2**20))
            if not part:
                raise EOFError
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _end(self) -> int:
        """End the worker and return its exit status."""
        if self._worker is None:
            return 0
        worker, self._worker = self._worker, None
        assert worker.stdin is not None and worker.stdout is not None
        worker.stdin.close()
        try:
            # One that ended by itself says why.
            status = worker.wait(0.05)
        except subprocess.TimeoutExpired:
            worker.kill()
            status = worker.wait()
        worker.stdout.close()
        return status


def read_episodes(path: Path) -> list[RecordedEpisode]:
    """Read the episodes of one file, as :meth:`RecordingReader.read` does.

    Raises:
        RecordingError: The file is missing, damaged, or no recording of this project.
    """
    with RecordingReader() as reader:
        return reader.read(path)


def read_recordings(
    files: Iterable[Path], limit_s: float | None = None
) -> tuple[list[tuple[Path, RecordedEpisode]], list[RecordingError]]:
    """Read many files.

    Args:
        files: The files.
        limit_s: As of :class:`RecordingReader`.

    Returns:
        Each episode with its file, and why other files could not be read.
    """
    found, damaged = [], []
    with RecordingReader(limit_s) as reader:
        for file in files:
            try:
                found += [(file, episode) for episode in reader.read(file)]
            except RecordingError as error:
                damaged.append(error)
    return found, damaged
