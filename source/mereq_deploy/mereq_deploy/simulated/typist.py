# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Somebody at a terminal: holds a key down, lets it go, types."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from types import TracebackType
from typing import Self

REPEAT = 1.0 / 30.0
"""Time between two characters of a held key [s], as most terminals have it."""


class Typist:
    """Types into a pseudo-terminal; holds the space bar from the start of a block on."""

    def __init__(self, descriptor: int) -> None:
        """Hold the descriptor of the terminal's other end."""
        self._descriptor = descriptor
        self._holds, self._ends = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True)
        self._writing = threading.Lock()

    def __enter__(self) -> Self:
        """Press the space bar."""
        self.hold()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""
        self._ends.set()
        self._holds.set()
        self._thread.join()

    def hold(self) -> None:
        """Hold the space bar from now on."""
        self._holds.set()

    def let_go(self) -> None:
        """Let the space bar go; afterwards no more of it is typed."""
        self._holds.clear()
        with self._writing:
            pass

    def type(self, keys: bytes) -> None:
        """Type keys."""
        os.write(self._descriptor, keys)

    def _repeat(self) -> None:
        while not self._ends.is_set():
            self._holds.wait()
            with self._writing:
                if self._holds.is_set() and not self._ends.is_set():
                    with contextlib.suppress(OSError):  # the terminal is gone
                        os.write(self._descriptor, b" ")
            time.sleep(REPEAT)
