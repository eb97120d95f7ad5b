# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The policy's side of the guard."""

from __future__ import annotations

import multiprocessing
import threading
import time

from ..action import Target
from ..arm import ArmError, FrankyArm
from ..contract import Contract
from ..safety import SafetyLimits
from .loop import Connect, guard
from .messages import Done, Follow, GoHome, Reading, Refused, Settings, Stop, Stopped

START_TIMEOUT = 20.0
"""Time that the guard may take to start and to connect [s]."""

HOME_MARGIN = 10.0
"""Time beyond the guard's own bound for which to wait for the way home [s]."""

ANSWER_TIMEOUT = 5.0
"""Time after which a guard that says nothing counts as dead [s]; stopping an arm that does not answer takes 2."""


class StoppedError(Exception):
    """The motion is over."""

    def __init__(self, stopped: Stopped) -> None:
        """Hold why and when."""
        super().__init__(stopped.reason)
        self.stopped = stopped


class GuardedArm:
    """An arm that the guard's process alone talks to; however this process ends, the guard then stops the arm."""

    def __init__(
        self,
        address: str,
        contract: Contract,
        limits: SafetyLimits,
        settings: Settings,
        connect: Connect = FrankyArm,
    ) -> None:
        """Start the guard and let it connect.

        Args:
            address: Of the arm.
            contract: Of the policy.
            limits: The safety layer's.
            settings: Speed, and whether it is a dry run.
            connect: Makes the client; it is called in the other process.

        Raises:
            ArmError: The arm cannot be reached, or the guard ends before it says so.
        """
        context = multiprocessing.get_context("spawn")
        self._link, theirs = context.Pipe()
        self._sending = threading.Lock()
        self._home_timeout = limits.max_motion + HOME_MARGIN
        self._process = context.Process(
            target=guard,
            args=(theirs, connect, address, contract.to_dict(), limits, settings),
            name="guard",
            daemon=True,
        )
        self._process.start()
        theirs.close()
        try:
            self._expect_done(START_TIMEOUT)
        except StoppedError as error:
            self.close()
            raise ArmError(f"the guard did not start within {START_TIMEOUT:g} s") from error
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the guard's process."""
        assert self._process.pid is not None
        return self._process.pid

    def go_home(self) -> None:
        """Move to the home pose and wait.

        Raises:
            StoppedError: It was stopped on the way, or the guard is gone.
        """
        self._send(GoHome())
        self._expect_done(self._home_timeout)

    def follow(self) -> Reading:
        """Begin a motion; returns the first reading, which is to be answered.

        Raises:
            StoppedError: The arm was stopped at once.
        """
        self._send(Follow())
        return self.read()

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
        reading = self._receive(ANSWER_TIMEOUT)
        if not isinstance(reading, Reading):
            raise TypeError(f"the guard said {reading}, expected a reading")
        return reading

    def ask_to_stop(self, reason: str, is_regular: bool = False) -> None:
        """Ask for a stop, from any thread; the next :meth:`read`, or the one that waits, raises."""
        self._send(Stop(reason, time.monotonic(), is_regular))

    def stop(self, reason: str, is_regular: bool = False) -> Stopped:
        """Stop, and return how it went."""
        self.ask_to_stop(reason, is_regular)
        try:
            while True:
                self._receive(ANSWER_TIMEOUT)
        except StoppedError as over:
            return over.stopped

    def close(self) -> None:
        """Let go of the arm; the guard stops it if it moves."""
        self._link.close()
        self._process.join(ANSWER_TIMEOUT)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _send(self, order: object) -> None:
        try:
            with self._sending:
                self._link.send(order)
        except OSError:
            pass  # the guard is gone: receiving tells

    def _expect_done(self, timeout: float) -> None:
        said = self._receive(timeout)
        if isinstance(said, Refused):
            raise ArmError(said.message)
        if not isinstance(said, Done):
            raise TypeError(f"the guard said {said}, expected that it is done")

    def _receive(self, timeout: float) -> object:
        now = time.monotonic
        try:
            said = self._link.recv() if self._link.poll(timeout) else None
        except (EOFError, OSError):
            said = None
        if said is None:
            # Without a guard nothing commands the arm, and its own controller stops it. One that hangs must go, too.
            self._process.kill()
            raise StoppedError(Stopped("the guard is gone; the arm stops by itself", now(), now(), None, by_arm=True))
        if isinstance(said, Stopped):
            raise StoppedError(said)
        return said
