# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Takes in connections within limits, and no faster than robots can be kept to the clock beside."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable

from .connections import LEAST_BUDGET, Connections
from .descriptors import NUM_SPARE, RESERVED, SpareDescriptors, descriptor_limit, num_open
from .quiet_log import QuietLog

BURST = 8
"""Connections that are taken in at once. A page takes six."""

BETWEEN_BURSTS_S = 0.02
"""Pause after that many [s]: 400 a second at most, which is a tenth of a core."""

AFTER_ERROR_S = 1.0
"""Pause after an error of the system [s]."""

BACKLOG = 128
"""Connections that wait in the system until they are taken in."""

NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
"""Errors of an address that a name has and this machine has not: ``localhost`` is ``::1`` also without IPv6."""


class Acceptor:
    """Listens at an address; used in the server's thread alone."""

    def __init__(self, hand_over: Callable[[socket.socket], None], log: QuietLog) -> None:
        """Prepare.

        Args:
            hand_over: Is given each connection.
            log: Is told of what goes wrong.

        Raises:
            OSError: Too few descriptors are left.
        """
        limit, used = descriptor_limit(), num_open()
        budget = limit - RESERVED - NUM_SPARE - used
        if budget < LEAST_BUDGET:
            needed = limit + LEAST_BUDGET - budget
            raise OSError(errno.EMFILE, f"the limit of open files is {limit}, at least {needed} are needed (ulimit -n)")
        self.connections = Connections(budget)
        self._highest = limit - RESERVED
        self._hand_over = hand_over
        self._log = log
        self._spare = SpareDescriptors(1)
        self._listeners: list[socket.socket] = []
        self._loop = asyncio.get_running_loop()

    def listen(self, host: str, port: int) -> int:
        """Begin.

        Args:
            host: Address or name; all of its addresses are listened at, but those that this machine does not have.
            port: Port; 0 takes any that is free.

        Returns:
            The port.

        Raises:
            OSError: There is no such name, an address is taken, or none is one of this machine.
            UnicodeError: The name cannot be one, as ``a..b``.
        """
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        listening, missing = [], None
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                listener = socket.socket(family, kind, protocol)
                self._listeners.append(listener)
                self._bind(listener, (address[0], port, *address[2:]))
            except OSError as error:
                if error.errno not in NOT_HERE:
                    raise
                missing = error
                self._log.say(f"not listening at {address[0]}: {error.strerror}")
                continue
            port = listener.getsockname()[1]
            listening.append(listener)
        if not listening:
            assert missing is not None  # a name has an address
            raise missing
        for listener in listening:
            self._resume(listener)
        return port

    @staticmethod
    def _bind(listener: socket.socket, address: tuple) -> None:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(BACKLOG)

    def close(self) -> None:
        """Listen no more, and hang up on all that only wait."""
        self.connections.drop_waiting()
        for listener in self._listeners:
            if listener.fileno() >= 0:
                self._loop.remove_reader(listener.fileno())
            listener.close()
        self._spare.close()

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def _pause(self, listener: socket.socket, seconds: float) -> None:
        self._loop.remove_reader(listener.fileno())
        self._loop.call_later(seconds, self._resume, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(BURST):
            try:
                connection, address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:  # its other end is gone already
                continue
            except OSError as error:
                self._fail(listener, error)
                return
            if connection.fileno() >= self._highest:  # the lowest that is free: all below are used
                connection.close()
                self._log.say("too many open files: connections are turned away")
                continue
            connection.setblocking(False)
            self.connections.add(connection, address[0])
            self._hand_over(connection)
        self._pause(listener, BETWEEN_BURSTS_S)

    def _fail(self, listener: socket.socket, error: OSError) -> None:
        """Turn away who waits where no descriptor is left, and rest a while in any case."""
        self._log.say(f"a connection cannot be taken in: {error.strerror}")
        if error.errno in (errno.EMFILE, errno.ENFILE):
            with self._spare.released(), contextlib.suppress(OSError):
                listener.accept()[0].close()
        self._pause(listener, AFTER_ERROR_S)
