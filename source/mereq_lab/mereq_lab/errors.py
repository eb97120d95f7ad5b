# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Errors and notes as one line on the error stream."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mereq_tasks.arguments import TaskUsageError

from .plain_console import PlainConsole


@contextlib.contextmanager
def report_and_continue(what: str) -> Iterator[None]:
    """Tells of any error in one line and goes on: for what is done on the way out, where another error may be known."""
    try:
        yield
    except Exception as error:
        print_line(f"{what}: {type(error).__name__}: {error}", "red")


def warn(text: str) -> None:
    """Tells in one line what a user should know, on the error stream; what comes from outside in it is text alone."""
    print_line(f"note: {text}", "yellow")


def print_line(text: str, style: str) -> None:
    """Prints one line on the error stream."""
    PlainConsole(stderr=True, soft_wrap=True).print(" ".join(text.split()), style=style, highlight=False)


def check_writable(what: str, path: Path) -> None:
    """Refuses a place where nothing can be written, before hours of work end there.

    Args:
        what: What goes there, for the message.
        path: A file or folder that need not exist yet.

    Raises:
        TaskUsageError: A folder on the way is no folder or may not be written.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    for place, is_wrong, reason in (
        (folder, not folder.is_dir(), "is not a folder"),
        (folder, not os.access(folder, os.W_OK | os.X_OK), "is not writable"),
        (path, path.exists() and not os.access(path, os.W_OK), "is not writable"),
    ):
        if is_wrong:
            raise TaskUsageError(f"{what} cannot be written: {path} ({place} {reason})")
