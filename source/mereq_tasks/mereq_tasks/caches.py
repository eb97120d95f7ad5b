# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What is kept outside of a run for later starts: compiled code, built robots, and temporary files."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


class CacheError(ValueError):
    """A folder cannot be written. The message is one line, and becomes that of a usage error."""


def cache_home() -> Path:
    """Returns the folder of all caches: ``$XDG_CACHE_HOME``, or ``.cache`` in the home.

    Raises:
        CacheError: There is neither.
    """
    home = os.path.expanduser("~")
    if not os.environ.get("XDG_CACHE_HOME") and home.startswith("~"):
        raise CacheError("this account has no home, where compiled code and robots are kept: set XDG_CACHE_HOME")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path(home) / ".cache")


def robot_cache() -> Path:
    """Returns the folder for built robots: ``$MEREQ_CACHE``, or one of the caches."""
    return Path(os.environ.get("MEREQ_CACHE") or cache_home() / "mereq_lab")


def keep_matplotlib_in_caches() -> None:
    """Lets Matplotlib keep its list of fonts among the caches; call it before Matplotlib is imported.

    It would make a folder in ``~/.config``, too, which ``XDG_CACHE_HOME`` does not move. A user's own ``MPLCONFIGDIR``
    stays. Without a home Matplotlib takes a temporary folder, and says so.
    """
    with contextlib.suppress(CacheError):
        os.environ.setdefault("MPLCONFIGDIR", str(cache_home() / "matplotlib"))


def check_caches() -> None:
    """Makes sure that caches and temporary files can be written, before the simulator ends in a trace.

    Raises:
        CacheError: A folder cannot be made or written.
    """
    for place, setting in (
        (Path(os.environ.get("WARP_CACHE_PATH") or cache_home() / "warp"), "WARP_CACHE_PATH"),
        (robot_cache(), "MEREQ_CACHE"),
    ):
        name = setting if os.environ.get(setting) else "XDG_CACHE_HOME"
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            raise CacheError(
                f"cannot write to {place}, where compiled code and robots are kept: {error.strerror}; set {name} to a"
                " folder that can be written"
            ) from error
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise CacheError("no folder for temporary files can be written: set TMPDIR to one that can") from error
