# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The policy's side of the guard."""

from __future__ import annotations

import multiprocessing
import select
import signal
import threading
import time
from multiprocessing.connection import Connection

from ..action import Target
from ..arm import ArmError, FrankyArm
from ..contract import Contract
from ..keyboard.messages import CONFIRM_TIMEOUT, SIGN_PERIOD
from ..safety import SafetyLimits
from .loop import Connect, guard
from .messages import Alive, Busy, Done, Follow, GoHome, Looked, Reading, Refused, Settings, Stop, Stopped, Stopping

START_TIMEOUT = 20.0
"""Time that the guard may take to start and to connect [s]."""

FIRST_LOOK_TIMEOUT = 2.0
"""Time from an order to the first look at the arm [s]."""

SILENCE = 0.2
"""Time for which a guard that looks at an arm may say nothing; it says so every 0.05 s [s]."""

ANSWER_TIMEOUT = 5.0
"""Time from the confirmation of a stop to the arm at rest [s]; stopping an arm that does not answer takes 2."""

POLL = 0.02
"""[s]"""


class StoppedError(Exception):
    """The motion is over."""

    def __init__(self, stopped: Stopped) -> None:
        """Hold why and when."""
        super().__init__(stopped.reason)
        self.stopped = stopped


class GuardedArm:
    """An arm that the guard's process alone talks to; however this process ends, the guard then stops the arm.

    A thread says fifty times a second that this process runs. A guard that does not look at the arm any more, or does
    not confirm a stop, is ended: without it nothing commands the arm, and the arm's own controller stops it.
    """

    def __init__(
        self,
        address: str,
        contract: Contract,
        limits: SafetyLimits,
        settings: Settings,
        connect: Connect = FrankyArm,
        keyboard: Connection | None = None,
    ) -> None:
        """Start the guard and let it connect.

        Args:
            address: Of the arm.
            contract: Of the policy.
            limits: The safety layer's.
            settings: Speed, whether it is a dry run, and whether there is a dead-man key.
            connect: Makes the client; it is called in the other process.
            keyboard: The guard's end of the link to the process that watches the keys, if there is one.

        Raises:
            ArmError: The arm cannot be reached, or the guard ends before it says so.
            ValueError: There is to be a dead-man key, and no keyboard.
        """
        if settings.needs_hold and keyboard is None:
            raise ValueError("a dead-man key needs the process that watches the keys")
        context = multiprocessing.get_context("spawn")
        self._link, theirs = context.Pipe()
        self._sending = threading.Lock()
        self._stop_asked_at: float | None = None
        self._is_stopping = False
        self._to_ask: Stop | None = None
        self._process = context.Process(
            target=guard,
            args=(theirs, keyboard, connect, address, contract.to_dict(), limits, settings),
            name="guard",
            daemon=True,
        )
        # Ctrl-C at the terminal reaches a process that starts as well; the guard takes it once it can.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
        self._is_open = threading.Event()
        self._is_open.set()
        self._signs = threading.Thread(target=self._say_alive, daemon=True)
        try:
            self.notes = self._expect_done(START_TIMEOUT)
            """What a log should know of the guard and of what it set on the arm."""
        except StoppedError as error:
            self.close()
            raise ArmError(f"the guard did not start: {error}") from error
        except BaseException:
            self.close()
            raise
        self._send(Alive(time.monotonic()))
        self._signs.start()

    @property
    def pid(self) -> int:
        """Of the guard's process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether a stop was asked for."""
        return self._stop_asked_at is not None or self._to_ask is not None

    def go_home(self) -> dict[str, object]:
        """Move to the home pose and wait; returns what a log should know of the way.

        Raises:
            StoppedError: It was stopped on the way, or the guard is gone.
        """
        self._send(GoHome())
        return self._expect_done(FIRST_LOOK_TIMEOUT)

    def follow(self) -> Reading:
        """Begin a motion; returns the first reading, which is to be answered.

        Raises:
            StoppedError: The arm was stopped at once.
        """
        self._send(Follow())
        return self._expect_reading(FIRST_LOOK_TIMEOUT)

    def answer(self, target: Target) -> None:
        """Answer the last reading.

        Args:
            target: What the policy asks for.
        """
        self._send(target)

    def read(self) -> Reading:
        """Wait for the next reading.

        Raises:
            StoppedError: The arm was stopped.
        """
        return self._expect_reading(SILENCE)

    def ask_to_stop(self, reason: str, is_regular: bool = False) -> None:
        """Ask for a stop, from any thread; the next :meth:`read`, or the one that waits, raises."""
        now = time.monotonic()
        self._send(Stop(reason, now, is_regular))
        if self._stop_asked_at is None:
            self._stop_asked_at = now

    def ask_to_stop_from_signal(self, reason: str) -> None:
        """Ask for a stop from a signal's handler, which may interrupt any line: the thread of the signs asks for it."""
        self._to_ask = self._to_ask or Stop(reason, time.monotonic())

    def stop(self, reason: str, is_regular: bool = False) -> Stopped:
        """Stop, and return how it went."""
        self.ask_to_stop(reason, is_regular)
        try:
            while True:
                self._receive(SILENCE)
        except StoppedError as over:
            return over.stopped

    def close(self) -> None:
        """Let go of the arm; the guard stops it if it moves."""
        self._is_open.clear()
        if self._signs.is_alive():
            self._signs.join(ANSWER_TIMEOUT)
        self._link.close()
        self._process.join(ANSWER_TIMEOUT)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _say_alive(self) -> None:
        while self._is_open.is_set():
            if self._to_ask is not None and self._stop_asked_at is None:
                self._send(self._to_ask)
                self._stop_asked_at = time.monotonic()
            self._send(Alive(time.monotonic()))
            time.sleep(SIGN_PERIOD)

    def _send(self, order: object) -> None:
        try:
            with self._sending:
                # A guard that reads nothing any more must not hold up this process, which has to end it.
                if select.select([], [self._link], [], 0.0)[1]:
                    self._link.send(order)
        except (OSError, ValueError):
            pass  # the guard is gone, or the link closed: receiving tells

    def _expect_done(self, silence: float) -> dict[str, object]:
        said = self._receive(silence)
        if isinstance(said, Refused):
            raise ArmError(said.message)
        if not isinstance(said, Done):
            raise TypeError(f"the guard said {said}, expected that it is done")
        return said.notes

    def _expect_reading(self, silence: float) -> Reading:
        reading = self._receive(silence)
        if not isinstance(reading, Reading):
            raise TypeError(f"the guard said {reading}, expected a reading")
        return reading

    def _receive(self, silence: float) -> object:
        """Wait for what the guard says next; a sign that it looks is nothing to return.

        Args:
            silence: Time for which it may say nothing [s].

        Raises:
            StoppedError: The arm was stopped, or the guard is gone, or has been ended since it did nothing.
        """
        heard = time.monotonic()
        while True:
            try:
                said = self._link.recv() if self._link.poll(POLL) else None
            except (EOFError, OSError):
                raise self._without_guard(self._how_it_ended()) from None
            now = time.monotonic()
            if said is not None:
                heard = now
            if isinstance(said, Stopped):
                raise StoppedError(said)
            if isinstance(said, Looked):
                silence = SILENCE
            elif isinstance(said, Busy):
                silence = said.timeout
            elif isinstance(said, Stopping):
                self._is_stopping, silence = True, ANSWER_TIMEOUT
            elif said is not None:
                return said
            if self._link.poll(0.0):  # what waits in the link was said in time, however late this process reads it
                continue
            asked = self._stop_asked_at
            if asked is not None and not self._is_stopping and now - asked > CONFIRM_TIMEOUT:
                raise self._without_guard(f"the guard did not confirm a stop within {CONFIRM_TIMEOUT} s and was ended")
            if now - heard > silence:
                raise self._without_guard(f"the guard said nothing for {now - heard:.2f} s and was ended")

    def _how_it_ended(self) -> str:
        self._process.join(POLL)
        if self._process.exitcode == -signal.SIGALRM:
            return "the guard hung, and the system's watchdog ended it"
        return "the guard is gone"

    def _without_guard(self, why: str) -> StoppedError:
        """End what is left of the guard; returns that the motion is over."""
        self._process.kill()
        now = time.monotonic()
        return StoppedError(Stopped(f"{why}; the arm stops by itself", now, now, None, by_arm=True))
