# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Keys that hold an arm's motion or end it, on the terminal that the program was started from."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable
from types import TracebackType
from typing import Self

HOLD_KEY = " "

REPEAT_DELAY = 0.8
"""Time between the first sign of a held key and the second, at most [s]: terminals wait before they repeat."""

REPEAT_GAP = 0.12
"""Time between further signs, at most [s]: terminals repeat 25 to 30 times a second."""


class HeldKey:
    """Whether a key is held, from the characters that a terminal repeats while it is."""

    def __init__(self) -> None:
        """Begin: the key is up."""
        self._last: float | None = None
        self._count = 0

    def press(self, now: float) -> None:
        """Take a character [s]."""
        self._last, self._count = now, self._count + 1

    def is_held(self, now: float) -> bool:
        """Whether the key is down."""
        return self._last is not None and now - self._last <= (REPEAT_DELAY if self._count == 1 else REPEAT_GAP)


class Keys:
    """Watches a terminal in a thread of its own.

    With a dead-man key the arm moves only while the space bar is held. Any other key stops it at once, with or without.
    """

    def __init__(self, stop: Callable[[str], None], needs_hold: bool, descriptor: int | None = None) -> None:
        """Hold the settings.

        Args:
            stop: Called once, with the reason.
            needs_hold: Whether there is a dead-man key.
            descriptor: Of the terminal; standard input's when left out.
        """
        self._stop, self._needs_hold = stop, needs_hold
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        self._held = HeldKey()
        self._is_on = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def wait_for_hold(self) -> None:
        """Wait until the dead-man key is held, or something stopped the arm; Ctrl-C ends it."""
        while self._needs_hold and self._thread.is_alive() and not self._held.is_held(time.monotonic()):
            time.sleep(0.02)

    def __enter__(self) -> Self:
        """Make the terminal pass every key on at once, but for Ctrl-C."""
        self._before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor)
        self._is_on.set()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._is_on.clear()
        self._thread.join()
        with contextlib.suppress(termios.error):  # a terminal that is gone needs nothing back
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def _watch(self) -> None:
        """Watch until something stops the arm; where the terminal itself fails, that does."""
        try:
            self._wait_for_stop()
        except OSError as error:
            self._stop(f"the terminal is gone ({error.strerror})")

    def _wait_for_stop(self) -> None:
        was_held = False
        while self._is_on.is_set():
            ready, _, _ = select.select([self._descriptor], [], [], 0.01)
            now = time.monotonic()
            typed = os.read(self._descriptor, 64).decode(errors="replace") if ready else ""
            if ready and not typed:
                self._stop("the terminal is gone")
                return
            for key in typed:
                if key == HOLD_KEY and self._needs_hold:
                    self._held.press(now)
                else:
                    self._stop("a key was pressed")
                    return
            is_held = self._held.is_held(now)
            if self._needs_hold and was_held and not is_held:
                self._stop("the dead-man key was let go")
                return
            was_held = is_held
