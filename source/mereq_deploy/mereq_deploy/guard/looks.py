# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How often the guard really looks at the arm, and what ends it when it does not."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..safety import Violation

MOST_GAP = 0.03
"""Time between two looks, at most [s]; six periods."""

WATCHDOG = 0.1
"""Time after a look when the system ends a guard that has not looked again [s]."""

CALL_WATCHDOG = 1.0
"""The same while the client takes its time, in a thread beside which the guard hears on [s]."""

STOP_WATCHDOG = 5.0
"""The same while the arm is being stopped, which waits for the arm [s]."""


@dataclass(frozen=True)
class LookTimes:
    """Times between two looks of a motion [s]."""

    count: int
    median: float
    percentile_99: float
    longest: float

    @staticmethod
    def of(gaps: list[float]) -> LookTimes | None:
        """Sum times up; None where there was no look."""
        if not gaps:
            return None
        median, percentile = np.quantile(gaps, (0.5, 0.99))
        return LookTimes(len(gaps), float(median), float(percentile), max(gaps))


class Looks:
    """Counts the looks of a motion.

    The watchdog is the system's interval timer with its default action. It ends this process even where no line of
    Python runs any more: its thread of the client, which would go on commanding the arm a thousand times a second, ends
    with it. An FR3 then stops by itself after 20 ms.
    """

    def __init__(self) -> None:
        """Begin; the arm does not move."""
        self.gaps: list[float] = []
        self._last: float | None = None
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def begin(self) -> None:
        """Begin to watch a motion that begins now."""
        self.gaps = []
        self._go_on()

    def _go_on(self) -> None:
        self._last = time.monotonic()
        _arm_watchdog(WATCHDOG)

    def look(self) -> float:
        """Note a look, and return its time [s].

        Raises:
            Violation: The look before was too long ago.
        """
        now = time.monotonic()
        assert self._last is not None
        gap, self._last = now - self._last, now
        _arm_watchdog(WATCHDOG)
        self.gaps.append(gap)
        if gap > MOST_GAP:
            raise Violation(
                f"the guard has not looked at the arm for {gap:.3f} s, at most {MOST_GAP} s are allowed:"
                " the machine is too busy"
            )
        return now

    @contextlib.contextmanager
    def waiting(self, timeout: float = STOP_WATCHDOG) -> Iterator[None]:
        """Allow the client to take its time until the end of the block [s]."""
        _arm_watchdog(timeout)
        try:
            yield
        finally:
            if self._last is not None:
                self._go_on()
            else:
                _arm_watchdog(0.0)

    def wait_on(self, timeout: float) -> None:
        """Allow a wait to go on for as long again [s]."""
        _arm_watchdog(timeout)

    def end(self) -> None:
        """The arm does not move any more."""
        self._last = None
        _arm_watchdog(0.0)


def _arm_watchdog(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)
