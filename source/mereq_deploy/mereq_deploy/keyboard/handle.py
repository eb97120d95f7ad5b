# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The program's side of the keyboard's process."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import UserError
from .messages import Held, StopKey, Watching
from .terminal import is_ours

START_TIMEOUT = 10.0
"""Time that the keyboard's process may take to start [s]."""


class KeyboardError(UserError):
    """The keys cannot be watched. The message is one line."""


class Keyboard:
    """Lets a process of its own watch the keys of a terminal, for the guard.

    With a dead-man key the arm moves only while it is held. Any other key stops the arm at once, with or without; so do
    Ctrl-Z, Ctrl-S and Ctrl-Q, which neither suspend the program nor halt its output meanwhile.
    """

    def __init__(self, needs_hold: bool, descriptor: int | None = None, device: Path | None = None) -> None:
        """Hold the settings.

        Args:
            needs_hold: Whether there is a dead-man key.
            descriptor: Of the terminal; standard input's when left out.
            device: Input device whose keys are the dead-man key; the terminal's space bar when left out.
        """
        self._needs_hold, self._device = needs_hold, device
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        self._over: StopKey | None = None

    def __enter__(self) -> Self:
        """Take the terminal over and start the process.

        Raises:
            KeyboardError: The keys cannot be watched.
        """
        if not is_ours(self._descriptor):
            raise KeyboardError("another program has the terminal: start this in its foreground")
        try:
            self._before = termios.tcgetattr(self._descriptor)
        except termios.error as error:
            raise KeyboardError(f"the keys cannot be watched: {error}") from error
        self._link, theirs = multiprocessing.Pipe()
        self.guard_link, to_guard = multiprocessing.Pipe()
        """The guard's end of the link to the keyboard's process."""
        descriptors = (to_guard.fileno(), theirs.fileno())
        command = [sys.executable, "-m", __package__, "--guard", str(descriptors[0]), "--program", str(descriptors[1])]
        command += ["--hold"] if self._needs_hold else []
        command += [] if self._device is None else ["--device", str(self._device)]
        # Until it can take it, Ctrl-C is for this process alone.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(command, stdin=self._descriptor, pass_fds=descriptors)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            to_guard.close()
            theirs.close()
        try:
            self._expect_start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _expect_start(self) -> None:
        try:
            said = self._link.recv() if self._link.poll(START_TIMEOUT) else None
        except (EOFError, OSError):
            said = None
        if isinstance(said, StopKey):
            raise KeyboardError(said.reason)
        if not isinstance(said, Watching):
            raise KeyboardError("the process that watches the keys did not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, and leave the terminal as it was, where the process could not."""
        self._link.close()
        self.guard_link.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:  # it hangs, or was frozen
            self._process.kill()
            self._process.wait()
        if is_ours(self._descriptor):  # what a shell got back is the shell's, and would suspend who changes it
            with contextlib.suppress(termios.error):  # a terminal that is gone needs nothing back
                # What was typed for the arm is nothing for the shell.
                termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, self._before)

    @property
    def pid(self) -> int:
        """Of the keyboard's process."""
        return self._process.pid

    @property
    def over(self) -> StopKey | None:
        """What stopped the arm from the keyboard, if something did; a process that ended counts."""
        self._hear()
        return self._over

    def wait_for_hold(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Wait until the dead-man key is held, the keyboard stopped the arm, or the wait is over."""
        while self._needs_hold and self._over is None and not is_over() and not self._is_held():
            time.sleep(0.02)

    def _is_held(self) -> bool:
        return any(isinstance(said, Held) for said in self._hear())

    def _hear(self) -> list[object]:
        found: list[object] = []
        try:
            while self._link.poll():
                found.append(self._link.recv())
        except (EOFError, OSError):
            self._over = self._over or StopKey("the process that watches the keys is gone", time.monotonic())
        for said in found:
            if isinstance(said, StopKey):
                self._over = self._over or said
        return found
