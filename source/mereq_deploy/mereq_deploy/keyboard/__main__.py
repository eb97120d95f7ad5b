# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Watches the keys, in a process of its own; :mod:`.handle` starts it. Standard input is the terminal.

While the dead-man key is held it says so fifty times a second, straight to the guard. It says nothing else: whatever
happens to this process, the guard hears no more of it, and stops the arm.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import sys
import termios
import time
from multiprocessing.connection import Connection
from pathlib import Path

from .keys import DeviceError, DeviceKey, RepeatedKey
from .messages import CONFIRM_TIMEOUT, SIGN_PERIOD, GuardIs, Held, StopConfirmed, StopKey, Watching
from .terminal import taken_over

LOOK_PERIOD = 0.01
"""[s]"""

LATE_LOOK = 0.1
"""Time between two looks after which what waits at the terminal is old, and no sign of a held key [s]."""

HOLD_KEY, INTERRUPT = b" ", b"\x03"


class Watcher:
    """Looks at keys and tells the guard."""

    def __init__(self, guard: Connection, program: Connection, needs_hold: bool) -> None:
        """Hold the links.

        Args:
            guard: To the guard, which may not be there yet.
            program: To the program that started this one; it ends this process by closing it.
            needs_hold: Whether there is a dead-man key.
        """
        self._guard, self._program, self._needs_hold = guard, program, needs_hold
        self.device: DeviceKey | None = None
        """Whose key is the dead-man key; None for the terminal's space bar."""
        self._space = RepeatedKey()
        self._was_held = False
        self._said_at = 0.0
        self._stop: StopKey | None = None
        self._is_confirmed = False
        self._guard_process: int | None = None
        self._interrupted = False
        signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, number: int, frame: object) -> None:
        self._interrupted = True

    def run(self) -> None:
        """Watch until the program lets go of this process, or is gone."""
        last = time.monotonic()
        while True:
            sources = [sys.stdin.fileno(), self._program.fileno()]
            if self._stop is not None:  # nothing more is to be read from the terminal: it is the shell's again soon
                sources = sources[1:]
            ready = select.select(sources, [], [], LOOK_PERIOD)[0]
            now = time.monotonic()
            if self._program.fileno() in ready and self._program_is_gone():
                return
            self._hear_guard(now)
            if self._stop is None:
                self._look(sys.stdin.fileno() in ready, now, now - last)
            last = now

    def _program_is_gone(self) -> bool:
        try:
            self._program.recv()
        except (EOFError, OSError):
            return True
        return False

    def _look(self, has_input: bool, now: float, gap: float) -> None:
        if self._interrupted:
            self._say_stop("interrupted from the keyboard", now)
            return
        is_late = gap > LATE_LOOK
        if is_late and self._needs_hold and self._was_held:
            self._say_stop(f"the dead-man key was not looked at for {gap:.2f} s", now)
            return
        try:
            if has_input and not self._read_terminal(now):  # a key that stops the arm does so late as well
                return
            if is_late:  # what came of the dead-man key meanwhile says nothing of now
                termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
                self._space = RepeatedKey()
            if self.device is not None:
                self.device.look()
        except DeviceError as error:
            self._say_stop(f"the dead-man key's device cannot be read: {error}", now)
            return
        except (OSError, termios.error) as error:  # another program has the terminal, or it is gone
            self._say_stop(f"the terminal is gone ({os.strerror(error.args[0])})", now)
            return
        if not self._needs_hold:
            return
        is_held = self._space.is_held(now) if self.device is None else self.device.is_down
        # A guard that is not there yet needs no sign, and what is not read would fill the link.
        if is_held and self._guard_process is not None and now - self._said_at >= SIGN_PERIOD:
            self._said_at = now
            self._send(self._guard, Held(now))
        if is_held and not self._was_held:
            self._send(self._program, Held(now))
        if self._was_held and not is_held:
            self._say_stop("the dead-man key was let go", now)
        self._was_held = is_held

    def _read_terminal(self, now: float) -> bool:
        """Take what was typed; returns whether nothing stops the arm."""
        typed = os.read(sys.stdin.fileno(), 1024)
        if not typed:
            self._say_stop("the terminal is gone", now)
            return False
        if INTERRUPT in typed:  # from a terminal that sends no signal, since it is not this program's own
            self._say_stop("interrupted from the keyboard", now)
            return False
        hold = HOLD_KEY if self._needs_hold and self.device is None else b""
        if typed.strip(hold) if hold else typed:
            self._say_stop("a key was pressed", now)
            return False
        self._space.press(now)
        return True

    def _say_stop(self, reason: str, now: float) -> None:
        self._stop = StopKey(reason, now)
        self._send(self._guard, self._stop)
        self._send(self._program, self._stop)

    def _hear_guard(self, now: float) -> None:
        """Take what the guard says; end it if it does not confirm a stop."""
        try:
            while self._guard.poll():
                said = self._guard.recv()
                if isinstance(said, GuardIs):
                    self._guard_process = os.pidfd_open(said.pid)
                self._is_confirmed |= isinstance(said, StopConfirmed)
        except (EOFError, OSError):
            self._is_confirmed = True  # the guard has ended
        if self._stop is not None and not self._is_confirmed and now - self._stop.time > CONFIRM_TIMEOUT:
            self._is_confirmed = True
            if self._guard_process is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._guard_process, signal.SIGKILL)

    @staticmethod
    def _send(link: Connection, message: object) -> None:
        with contextlib.suppress(OSError):  # whoever is gone needs no sign
            link.send(message)


def main() -> None:
    """Watch as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guard", type=int, required=True, help="descriptor of the link to the guard")
    parser.add_argument("--program", type=int, required=True, help="descriptor of the link to the program")
    parser.add_argument("--hold", action="store_true", help="there is a dead-man key")
    parser.add_argument("--device", type=Path, help="input device of the dead-man key")
    args = parser.parse_args()
    # Suspending is the terminal's and the shell's business. A process that stands still would hold nothing, and say
    # nothing; one that reads a terminal which is not its own any more gets an error, and says that.
    for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    program = Connection(args.program)
    watcher = Watcher(Connection(args.guard), program, args.hold)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        if args.device is not None:
            watcher.device = DeviceKey(args.device)
        with taken_over(sys.stdin.fileno()):
            program.send(Watching())
            watcher.run()
    except DeviceError as error:
        program.send(StopKey(f"the dead-man key's device cannot be read: {error}", time.monotonic()))
    except (OSError, termios.error) as error:
        program.send(StopKey(f"the keys cannot be watched: {error}", time.monotonic()))


if __name__ == "__main__":
    main()
