# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One writer at a time in a run folder, or in a folder of recordings."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from ..atomic_write import WriteError, clear_left_overs
from ..errors import UserError

LOCK = "run.lock"
"""Name of the file that is locked. It stays, and says who wrote last; the lock itself ends with its process."""


class RunInUseError(UserError):
    """Another process writes to the folder, or it cannot be locked. The message is one line."""


@contextlib.contextmanager
def locked(folder: Path, command: str, what: str = "run folder") -> Iterator[int]:
    """Keep other processes from writing to a folder, and clear what killed ones have left half-written.

    Args:
        folder: The run's.
        command: What the user typed, for the message to others.
        what: What the folder is, for the message.

    Yields:
        The descriptor of the lock. A process that inherits it holds the lock as well, until it ends.

    Raises:
        RunInUseError: Another process has the lock, and the message says which; or the folder cannot be locked.
        WriteError: The folder cannot be written.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise WriteError.of(folder / LOCK, error.errno or 0) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunInUseError(f"{what} is in use by {_holder(descriptor)}: {folder}") from error
        except OSError as error:  # network folders need a server that keeps locks
            raise RunInUseError(
                f"{what} cannot be locked ({error.strerror}): {folder}; mount it with locks, or keep it on a disk of"
                " this machine"
            ) from error
        _write_holder(folder / LOCK, descriptor, command)
        clear_left_overs(folder, is_ours=True)
        yield descriptor
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
        os.pwrite(descriptor, (json.dumps(holder) + "\n").encode(), 0)
    except OSError as error:
        raise WriteError.of(path, error.errno or 0) from error


def _is_alive(process: int) -> bool:
    return Path("/proc", str(process)).exists()


def _holder(descriptor: int) -> str:
    """Return who has the lock, in words."""
    try:
        holder = json.loads(os.pread(descriptor, 10_000, 0))
        told = "process {process} on {host} since {since} ({command})".format(**holder)
        if holder["host"] == socket.gethostname() and not _is_alive(holder["process"]):
            return f"what {told} has left running, which ends in a moment"
        return told
    # It has the lock and has not written yet, or the file is damaged.
    except (OSError, LookupError, RecursionError, TypeError, ValueError, AttributeError):
        return "another process"
