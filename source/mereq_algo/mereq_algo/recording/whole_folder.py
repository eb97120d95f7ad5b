# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Folders of several files that are either complete or not there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..atomic_write import WriteError, synchronize


def write_whole_folder(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary folder beside the path, sync it, then rename it into place.

    What a killed writer left beside the path is removed.

    Args:
        path: Where the folder goes; the folder above it is made.
        write: Writes into the folder that it is given.

    Raises:
        WriteError: It cannot be written, or there is something already that is no empty folder.
    """
    path = path.absolute()
    try:
        _write(path, write)
    except OSError as error:
        if error.errno is None:
            raise
        raise WriteError.of(path, error.errno) from error


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_left_overs(path)
    temporary = path.with_name(f"{_prefix(path)}{uuid.uuid4().hex}")
    temporary.mkdir()
    try:
        with _held(temporary):  # tells others that somebody is at work
            write(temporary)
            for folder, _, names in os.walk(temporary, topdown=False):
                for name in names:
                    synchronize(Path(folder, name))
                synchronize(Path(folder))
            os.rename(temporary, path)  # replaces an empty folder, and no other
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    synchronize(path.parent)


def _prefix(path: Path) -> str:
    return f".{path.name}.unfinished-"


def _clear_left_overs(path: Path) -> None:
    """Remove what writers of this path left that are no more."""
    prefix = _prefix(path)
    for left_over in path.parent.iterdir():
        if left_over.name.startswith(prefix):
            with contextlib.suppress(OSError), _held(left_over):
                shutil.rmtree(left_over)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, which ends with its process.

    Raises:
        BlockingIOError: Another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
