# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""File descriptors: how many there are, and some that are kept for files."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import time
from collections.abc import Callable, Iterator

from .quiet_log import QuietLog

RESERVED = 32
"""Descriptors that no connection gets, so that files can always be opened. Writing an episode takes two."""

NUM_SPARE = 8
"""Descriptors that are held open to be given up when there are no others."""

USUAL_LIMIT = 1024
"""Limit of descriptors that is asked for where it is lower and may be raised; most systems begin with it."""

RETRY_S = 0.2
"""Between two attempts to open a file [s]."""


def descriptor_limit() -> int:
    """Return how many descriptors this process may have, raised to the usual number where that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = USUAL_LIMIT if hard == resource.RLIM_INFINITY else min(hard, USUAL_LIMIT)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return 2**20 if soft == resource.RLIM_INFINITY else soft


def num_open() -> int:
    """Return how many descriptors are open."""
    return len(os.listdir("/proc/self/fd")) - 1  # one is the folder's


def is_exhausted(error: BaseException | None) -> bool:
    """Return whether an error, or what caused it, is that no descriptor is left."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__cause__ or error.__context__
    return False


class SpareDescriptors:
    """Descriptors that are held for a moment in which there are no others."""

    def __init__(self, number: int = NUM_SPARE) -> None:
        """Take them.

        Args:
            number: How many.

        Raises:
            OSError: There are not so many.
        """
        self._number = number
        self._held: list[int] = []
        self._take()

    def _take(self) -> None:
        while len(self._held) < self._number:
            self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Give them up, and take them back at the end, as far as they are still there."""
        self.close()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                self._take()

    def close(self) -> None:
        """Give them up for good."""
        while self._held:
            os.close(self._held.pop())

    def __del__(self) -> None:
        self.close()


class PatientFiles:
    """Works on files, and tries again as long as no descriptor is left: what a person showed must not be lost."""

    def __init__(self, log: QuietLog) -> None:
        """Take spare descriptors.

        Args:
            log: Is told of each wait.

        Raises:
            OSError: There are none.
        """
        self._spare = SpareDescriptors()
        self._log = log

    def run[Result](self, work: Callable[[], Result]) -> Result:
        """Do some work on files.

        Args:
            work: Can be done again from its beginning.
        """
        while True:
            try:
                return work()
            except Exception as error:
                if not is_exhausted(error):
                    raise
            with self._spare.released():
                try:
                    return work()
                except Exception as error:
                    if not is_exhausted(error):
                        raise
            self._log.say("too many open files: waiting until an episode can be written or read")
            time.sleep(RETRY_S)
