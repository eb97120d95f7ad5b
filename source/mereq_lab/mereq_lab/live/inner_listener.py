# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A listening socket that only this process can connect to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from typing import Any


class InnerListener(socket.socket):
    """Stands where a server wants a listening socket, and has no address: no other process can reach it.

    It is one end of a pair of sockets. A byte from the other end says that a connection waits.
    """

    def __init__(self) -> None:
        """Open the pair.

        Raises:
            OSError: No descriptor is left.
        """
        ours, self._bell = socket.socketpair()
        super().__init__(ours.family, ours.type, ours.proto, fileno=ours.detach())
        self.setblocking(False)
        self._bell.setblocking(False)
        self._waiting: deque[socket.socket] = deque()
        self._lock = threading.Lock()

    def listen(self, backlog: int = 0, /) -> None:
        """Do nothing: connections that wait are kept here."""

    def getsockname(self) -> Any:
        """Return an address in the form of others: no host, port 0."""
        return ("", 0)

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the connection that waits longest, as a listening socket does.

        Raises:
            BlockingIOError: None waits.
        """
        with self._lock:
            if not self._waiting:
                raise BlockingIOError("no connection waits")
            connection = self._waiting.popleft()
            if not self._waiting:
                with contextlib.suppress(BlockingIOError):
                    self.recv(4096)
            return connection, ("", 0)

    def push(self, connection: socket.socket) -> None:
        """Hand a connection to the server."""
        with self._lock:
            self._waiting.append(connection)
            with contextlib.suppress(BlockingIOError):  # it rings already
                self._bell.send(b"\0")

    def open_connection(self) -> socket.socket:
        """Connect to the server, and return the client's end.

        Raises:
            OSError: No descriptor is left.
        """
        here, there = socket.socketpair()
        self.push(there)
        return here

    def close(self) -> None:
        """Close the pair and what still waits."""
        super().close()
        with self._lock:
            for each in (self._bell, *self._waiting):
                each.close()
            self._waiting.clear()
