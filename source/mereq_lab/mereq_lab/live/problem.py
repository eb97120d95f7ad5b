# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Tells people at the page why their session ends."""

from __future__ import annotations

from mereq_algo.atomic_write import CAUSES, DISK_ERRORS, WriteError
from mereq_algo.recording import RecordingError
from mereq_algo.recording.files import SUFFIX


def problem_of(error: Exception) -> str:
    """Return what the page says of an error that ends a session.

    Args:
        error: Whatever happened, in this process or in the one that learns.
    """
    if isinstance(error, WriteError) and error.path is not None:
        is_recording = error.path.suffix == SUFFIX
        what = "The recording of the last episode" if is_recording else "What was learned"
        kept = "earlier episodes are kept" if is_recording else "your episodes are kept"
        return f"{what} could not be written: {error.reason}. The session ends; {kept}."
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return f"A file could not be written: {CAUSES[error.errno]}. The session ends."
    if isinstance(error, RecordingError):
        return f"A recording cannot be read: {error}. The session ends."
    return "The program met an error and the session ends. Its terminal says more."
