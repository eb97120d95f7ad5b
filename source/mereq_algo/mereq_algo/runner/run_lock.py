# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One writer at a time in a run folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from ..whole_file import WriteError, clear_left_overs

LOCK = "run.lock"
"""Name of the file that is locked. It stays, and says who wrote last; the lock itself ends with its process."""


class RunInUseError(ValueError):
    """Another process writes to the run folder. The message is one line."""


@contextlib.contextmanager
def locked(folder: Path, command: str) -> Iterator[None]:
    """Keep other processes from writing to a run folder, and clear what killed ones have left half-written.

    Args:
        folder: The run's.
        command: What the user typed, for the message to others.

    Raises:
        RunInUseError: Another process has the lock; the message says which.
        WriteError: The folder cannot be written.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise WriteError.of(folder / LOCK, error.errno or 0) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunInUseError(f"run folder is in use by {_holder(descriptor)}: {folder}") from error
        _write_holder(folder / LOCK, descriptor, command)
        clear_left_overs(folder, is_ours=True)
        yield
    finally:
        os.close(descriptor)


def _write_holder(path: Path, descriptor: int, command: str) -> None:
    holder = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": command,
    }
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, (json.dumps(holder, ensure_ascii=False) + "\n").encode(), 0)
    except OSError as error:
        raise WriteError.of(path, error.errno or 0) from error


def _holder(descriptor: int) -> str:
    """Return who has the lock, in words."""
    try:
        holder = json.loads(os.pread(descriptor, 10_000, 0))
        return "process {process} on {host} since {since} ({command})".format(**holder)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # it has not written yet, or something else has
        return "another process"
