# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Reads files that a user names."""

from __future__ import annotations

import errno
from pathlib import Path


def content_of(file: Path) -> bytes:
    """Return what a file holds; a pipe or a device would keep its reader waiting for ever.

    Args:
        file: The file; a link to one will do.

    Raises:
        OSError: It is missing, unreadable, or something else than a file.
    """
    if file.exists() and not file.is_file():
        raise OSError(errno.EINVAL, "it is not a file", str(file))
    return file.read_bytes()
