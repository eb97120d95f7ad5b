# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The guard's links: to the policy's process, and to the process that watches the keys."""

from __future__ import annotations

import contextlib
import os
import time
from multiprocessing.connection import Connection, wait

from ..keyboard.messages import GuardIs, Held, StopConfirmed, StopKey
from .messages import Alive, Looked, Stop, Stopping
from .signs import HOLD, POLICY, SignsOfLife

BEAT_PERIOD = 0.05
"""How often the guard says that it looks [s]."""


class StopAsked(Exception):
    """The policy's process or a key asks for a stop."""

    def __init__(self, stop: Stop) -> None:
        """Hold why and since when."""
        super().__init__(stop.reason)
        self.stop = stop


class Links:
    """What comes in: orders, signs of life, stops. What goes out: readings, and how the motion goes."""

    def __init__(self, program: Connection, keyboard: Connection | None, needs_hold: bool) -> None:
        """Hold the links.

        Args:
            program: To the policy's process.
            keyboard: To the process that watches the keys, if there is one.
            needs_hold: Whether that has to say that the dead-man key is held.
        """
        self._program, self._keyboard = program, keyboard
        self._signs = SignsOfLife(needs_hold)
        self._said_at = 0.0
        self._to_keyboard(GuardIs(os.getpid()))

    def wait(self, timeout: float) -> bool:
        """Wait for something to come in [s]; returns whether something did."""
        links = [self._program] if self._keyboard is None else [self._program, self._keyboard]
        return bool(wait(links, timeout))

    def orders(self) -> list[object]:
        """Return the orders that have come, and note the signs of life.

        Raises:
            StopAsked: A stop has come.
            EOFError: The policy's process is gone.
        """
        self._hear_keyboard()
        orders = []
        while self._program.poll():
            said = self._program.recv()
            if isinstance(said, Stop):
                raise StopAsked(said)
            if isinstance(said, Alive):
                self._signs.note(POLICY, said.time)
            else:
                orders.append(said)
        return orders

    def _hear_keyboard(self) -> None:
        try:
            while self._keyboard is not None and self._keyboard.poll():
                said = self._keyboard.recv()
                if isinstance(said, Held):
                    self._signs.note(HOLD, said.time)
                elif isinstance(said, StopKey):
                    raise StopAsked(Stop(said.reason, said.time))
        except (EOFError, OSError):
            self._keyboard = None
            raise StopAsked(Stop("the process that watches the keys is gone", time.monotonic())) from None

    def begin_motion(self) -> None:
        """Demand signs of life from now on."""
        self._signs.begin()

    def check_signs(self) -> None:
        """Look whether everything that takes part in a motion gives a sign of life.

        Raises:
            Violation: Something does not.
        """
        self._signs.check()

    def beat(self, now: float) -> None:
        """Say now and then that the guard looks."""
        if now - self._said_at >= BEAT_PERIOD:
            self._said_at = now
            self.say(Looked())

    def say(self, message: object) -> None:
        """Say something to the policy's process.

        Raises:
            OSError: It is gone.
        """
        self._program.send(message)

    def confirm_stop(self, reason: str) -> None:
        """Say to both that the stop is commanded; to one that is gone it need not be said."""
        with contextlib.suppress(OSError):
            self.say(Stopping(reason))
        self._to_keyboard(StopConfirmed(time.monotonic()))

    def _to_keyboard(self, message: object) -> None:
        if self._keyboard is not None:
            with contextlib.suppress(OSError):
                self._keyboard.send(message)
