# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Between the process that learns and the one in which people watch.

They cannot be one: thousands of robots cannot keep to the clock on the wall. Messages are lines of JSON over a pair
of sockets that only these two processes hold.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any

from mereq_algo.errors import UserError


class LinkError(UserError):
    """The other process is gone, or could not do what it was asked. The message is one line."""


class Link:
    """One end."""

    def __init__(self, handle: int, on_closed: Callable[[], None] = lambda: None) -> None:
        """Begin to listen.

        Args:
            handle: The socket's file descriptor, which is this object's from now on.
            on_closed: Called, in a thread of the link's own, when the other process is gone.
        """
        self._socket = socket.socket(fileno=handle)
        self._on_closed = on_closed
        self._arrived: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="link", daemon=True).start()

    def _listen(self) -> None:
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    self._arrived.put(json.loads(line))
        except OSError:
            pass  # it was cut, and not closed
        self._arrived.put(None)
        self._on_closed()

    def send(self, **message: Any) -> None:
        """Say something.

        Raises:
            LinkError: The other process is gone.
        """
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise LinkError("the other process is gone") from error

    def receive(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait for a message.

        Args:
            timeout: How long to wait at most [s]; without one, for ever. 0 does not wait.

        Raises:
            LinkError: The other process is gone.
            TimeoutError: It said nothing.
        """
        try:
            message = self._arrived.get(block=timeout != 0.0, timeout=timeout)
        except queue.Empty as error:
            raise TimeoutError("the other process said nothing") from error
        if message is None:
            self._arrived.put(None)  # for whoever asks again
            raise LinkError("the other process is gone")
        return message

    def close(self) -> None:
        """Hang up; the other end notices."""
        with contextlib.suppress(OSError):  # the other one was faster
            self._socket.shutdown(socket.SHUT_RDWR)  # to close it is not enough: a thread still reads
        self._socket.close()


class LiveProcess:
    """The process in which people watch, as the one that learns sees it."""

    def __init__(self, command: Sequence[str], held: Sequence[int] = ()) -> None:
        """Start it.

        Args:
            command: Runs ``supervise.py``; ``--link`` and a number are added.
            held: Descriptors that it inherits: of locks, which it holds until it ends, whatever ends this process.
        """
        here, there = socket.socketpair()
        with there:
            # In a session of its own Ctrl-C does not reach it: whoever started it says when to end.
            self._process = subprocess.Popen(
                [*command, "--link", str(there.fileno())], pass_fds=[there.fileno(), *held], start_new_session=True
            )
        self.link = Link(here.detach())
        self._ending: str | None = None
        self._problem: str | None = None

    def url(self) -> str:
        """Wait until people can come, and return the link for them.

        Raises:
            LinkError: It ended instead; what it said is on the terminal.
        """
        return self.receive()["url"]

    def receive(self) -> dict[str, Any]:
        """Wait for its next answer.

        Raises:
            LinkError: It is gone, or has met an error, which the message then is.
        """
        while True:
            try:
                message = self.link.receive()
            except LinkError as error:
                told = f"the supervision ended, with exit status {self._process.wait()}"
                raise LinkError(self._problem or told) from error
            if not self._takes_in(message):
                return message

    def _takes_in(self, message: dict[str, Any]) -> bool:
        """Note what a message says of the end, and return whether it was of that kind."""
        if "ending" in message:
            self._ending = message["ending"]
        elif "error" in message:
            self._problem = message["error"]
        else:
            return False
        return True

    def ending(self) -> str | None:
        """Return how the person ends the run, if they have said so; no answer may be on its way."""
        with contextlib.suppress(LinkError, TimeoutError):
            while True:
                self._takes_in(self.link.receive(timeout=0.0))
        return self._ending

    def tell(self, problem: str) -> None:
        """Let the page say why the session ends, if there still is a page."""
        with contextlib.suppress(LinkError):
            self.link.send(do="end", problem=problem)

    def close(self) -> None:
        """End it, by force if it does not listen."""
        self.link.close()
        try:
            self._process.wait(timeout=15.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
