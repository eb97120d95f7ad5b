# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Tells the launcher that a program runs in ``.venv``, also where the launcher has not started it itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys

FILE = ".mereq-users"
"""In ``.venv``: locked by the programs that run there, and alone by an update. See ``isaaclab.sh``."""


def hold_venv() -> None:
    """Hold a shared lock until this process ends, so that no update changes packages under it.

    A program that the launcher starts inherits its lock. Python closes that in the programs which it starts itself,
    and they can outlive it. While an update runs, this waits for its end.
    """
    with contextlib.suppress(OSError):  # another environment, or one that belongs to another user
        descriptor = os.open(os.path.join(sys.prefix, FILE), os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
