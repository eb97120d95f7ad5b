# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Reads the files that a user names: a pipe without a writer would wait for ever, a device would fill the memory."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

MOST_TEXT = 2**24
"""Largest text file [bytes]."""

MOST_MODEL = 2**30
"""Largest network [bytes]."""

MOST_LOG = 2**32
"""Largest log of a motion [bytes]."""


def read_file(file: Path, most: int = MOST_TEXT, may_be_pipe: bool = False) -> bytes:
    """Return the bytes of a file.

    Args:
        file: Which.
        most: Its greatest size [bytes].
        may_be_pipe: Whether a shell's ``<(...)`` will do.

    Raises:
        OSError: It cannot be read, is no file, or is larger.
    """
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(file))
    if not (stat.S_ISREG(mode) or (may_be_pipe and stat.S_ISFIFO(mode))):
        raise OSError(errno.EINVAL, "It is no regular file", str(file))
    with file.open("rb") as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"It is larger than {most / 2**20:.0f} MiB", str(file))
    return content
