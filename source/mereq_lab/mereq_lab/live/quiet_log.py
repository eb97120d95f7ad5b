# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Short messages on standard error that no visitor can make many of."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable

EVERY_S = 30.0
"""Between two lines of the same text [s]."""

KNOWN = {"opening handshake failed": "a connection sent no proper request"}
"""What the library calls otherwise."""


class QuietLog(logging.Handler):
    """Says each thing in one line, at most once in :obj:`EVERY_S`; the next line says how often it was meant."""

    def __init__(self, name: str = "live supervision", clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing said.

        Args:
            name: Begins each line.
            clock: Tells the time [s].
        """
        super().__init__(logging.WARNING)
        self._name = name
        self._clock = clock
        self._said_at: dict[str, float] = {}
        self._num_unsaid: dict[str, int] = {}
        self._say_lock = threading.Lock()

    def say(self, text: str) -> None:
        """Say something, unless it was just said.

        Args:
            text: One of few: each is remembered.
        """
        with self._say_lock:
            now = self._clock()
            if now - self._said_at.get(text, -EVERY_S) < EVERY_S:
                self._num_unsaid[text] = self._num_unsaid.get(text, 0) + 1
                return
            self._said_at[text] = now
            number = self._num_unsaid.pop(text, 0)
        more = f" ({number} times more since it was last said)" if number else ""
        with contextlib.suppress(OSError, ValueError):  # standard error is closed: then there is nobody to tell
            print(f"{self._name}: {text}{more}", file=sys.stderr, flush=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Say what a library logs: its own words and the kind of error, and nothing that a visitor sent."""
        kind = record.exc_info[0] if record.exc_info else None
        text = KNOWN.get(str(record.msg), str(record.msg))
        self.say(text + ("" if kind is None else f" ({kind.__name__})"))

    def logger(self) -> logging.Logger:
        """Return a logger that says what it is given here, and nowhere else."""
        logger = logging.Logger(self._name, logging.WARNING)
        logger.addHandler(self)
        return logger
