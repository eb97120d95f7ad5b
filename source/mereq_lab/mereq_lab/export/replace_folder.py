# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""An export in the place of another, as a whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from mereq_algo.atomic_write import synchronize


def replace_folder(source: Path, target: Path) -> None:
    """Puts a copy of a folder in the place of another, one export at a time; a part of one is never found there.

    Raises:
        OSError: It cannot be written, because the disk is full, say. An earlier export is as it was.
    """
    target = target.absolute()
    fresh, old = (target.with_name(f".{target.name}.{what}") for what in ("new", "old"))
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked_folder(target.parent):
        _restore(old, target)
        for left_over in (fresh, old):  # of an export that was killed
            shutil.rmtree(left_over, ignore_errors=True)
        try:
            fresh.mkdir()
            for file in source.iterdir():
                shutil.copy(file, fresh)
                synchronize(fresh / file.name)
            synchronize(fresh)
            if target.exists():
                target.rename(old)
            fresh.rename(target)
            synchronize(target.parent)
        finally:
            if old.exists() and not target.exists():
                old.rename(target)
            for left_over in (fresh, old):
                shutil.rmtree(left_over, ignore_errors=True)


def put_back(target: Path) -> None:
    """Puts an earlier export back in its place, which one that was killed has put aside."""
    target = target.absolute()
    old = target.with_name(f".{target.name}.old")
    if not old.exists():
        return
    with locked_folder(target.parent):
        _restore(old, target)


def _restore(old: Path, target: Path) -> None:
    if old.exists() and not target.exists():
        old.rename(target)


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Keeps other exports out of a folder, for the moment that replacing one takes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
