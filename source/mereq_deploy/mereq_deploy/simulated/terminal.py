# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A program in a real terminal: a pseudo-terminal with an interactive shell that controls its jobs."""

from __future__ import annotations

import contextlib
import os
import pty
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ..keyboard.remote import VARIABLES

PROMPT = "ready> "


class Terminal:
    """A terminal with a shell; what the shell and its programs write is in :attr:`shown`."""

    def __init__(self) -> None:
        """Open the terminal and start the shell."""
        self.descriptor, theirs = pty.openpty()
        shell = shutil.which("bash") or "/bin/bash"
        # Remote shells and multiplexers, in which this may run, are not what is tried here: the shell gets none of
        # their variables and, since setsid ends at once, none of them among its ancestors.
        unwanted = (*VARIABLES, "DISPLAY", "XDG_SESSION_ID")
        environment = {name: value for name, value in os.environ.items() if name not in unwanted}
        subprocess.run(
            ["setsid", "--fork", "--ctty", shell, "--norc", "--noprofile", "-i"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "PS1": PROMPT, "TERM": "dumb", "HISTFILE": ""},
            check=True,
        )
        os.close(theirs)
        self.shell_pid = 0
        """The shell's process; known once the terminal is entered."""
        self._shown = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def shown(self) -> str:
        """What was written to the terminal so far."""
        return self._shown.decode(errors="replace")

    def run(self, command: Sequence[str]) -> None:
        """Type a command."""
        self.type((shlex.join(command) + "\n").encode())

    def type(self, keys: bytes) -> None:
        """Type keys."""
        os.write(self.descriptor, keys)

    def wait_for(self, text: str, timeout: float) -> bool:
        """Wait until something is shown [s]; returns whether it is."""
        end = time.monotonic() + timeout
        while text not in self.shown and time.monotonic() < end:
            time.sleep(0.01)
        return text in self.shown

    def exit_status(self, timeout: float) -> int | None:
        """Ask the shell for the last program's exit status [s]; None if it does not say."""
        self.type(b'echo "status=$?"\n')
        if not self.wait_for("\nstatus=", timeout):
            return None
        return int(self.shown.rpartition("\nstatus=")[2].split()[0])

    def __enter__(self) -> Self:
        """Wait for the shell.

        Raises:
            TimeoutError: There is none after ten seconds.
        """
        if not self.wait_for(PROMPT, 10.0):
            raise TimeoutError("no shell in the terminal after 10 s")
        self.shell_pid = os.tcgetpgrp(self.descriptor)  # it has started nothing yet, so the foreground is its own
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the shell and what it started."""
        for pid in [*descendants(self.shell_pid), self.shell_pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.close(self.descriptor)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.descriptor, 4096)
            except OSError:  # it is closed
                return
            if not data:
                return
            self._shown += data


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            except OSError:  # it ended meanwhile
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, left = [], [pid]
    while left:
        for child in children.get(left.pop(), []):
            found.append(child)
            left.append(child)
    return found


def command_of(pid: int) -> str:
    """Return the command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
