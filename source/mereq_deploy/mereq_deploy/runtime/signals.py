# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Signals that ask a program to end: while it leads an arm they ask for a stop, and nothing is torn."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from ..guard import GuardedArm

REASONS = {
    signal.SIGINT: "interrupted from the keyboard",
    signal.SIGTERM: "the program was asked to end (SIGTERM)",
    signal.SIGHUP: "the terminal was closed (SIGHUP)",
}


@contextlib.contextmanager
def stopped_by_signals(arm: GuardedArm) -> Iterator[None]:
    """Let Ctrl-C and its like ask an arm to stop, until the end of the block.

    An exception could come at any line, in the middle of a stop or of a message to the guard. What waits for the guard
    hears of the stop from there.

    Args:
        arm: The arm.

    Yields:
        None.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = {
        number: signal.signal(
            number, lambda number, frame: arm.ask_to_stop_from_signal(REASONS[signal.Signals(number)])
        )
        for number in REASONS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
