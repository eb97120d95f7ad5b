# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How many connections a server has: of one address, and in all."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections import Counter
from dataclasses import dataclass

MOST_WAITING = 64
"""Connections, at most, that have not shown the token."""

MOST_WAITING_PER_ADDRESS = 16
"""The same of one address. A browser opens six at once."""

MOST_ADMITTED = 96
"""Connections, at most, that have shown it. A tab of the page has two: its messages, and the 3D view."""

MOST_ADMITTED_PER_ADDRESS = 32
"""The same of one address; people behind one tunnel share theirs."""

DESCRIPTORS_PER_ADMITTED = 3
"""Descriptors that an admitted connection takes at most: the 3D view is a pipe with three ends in this process."""

LEAST_BUDGET = 32
"""Descriptors without which a page cannot be served."""


@dataclass(eq=False)
class _Connection:
    socket: socket.socket
    group: str
    is_admitted: bool = False


class Connections:
    """The connections of one server; used in its thread alone.

    A new connection is never refused for those that only wait: the oldest of these goes instead. A person's browser
    sends its request at once, and is through before that.
    """

    def __init__(self, budget: int) -> None:
        """Begin with none.

        Args:
            budget: Descriptors that all of them may take.
        """
        self.most_waiting = min(MOST_WAITING, budget // 4)
        self.most_admitted = min(MOST_ADMITTED, (budget - self.most_waiting) // DESCRIPTORS_PER_ADMITTED)
        self._connections: list[_Connection] = []

    def add(self, connection: socket.socket, address: str) -> None:
        """Take in a connection that has not said anything yet.

        Args:
            connection: Its socket; that it is closed is noticed.
            address: Where it is from.
        """
        self._forget_closed()
        group = group_of(address)
        waiting = Counter(each.group for each in self._connections if not each.is_admitted)
        if waiting[group] >= min(MOST_WAITING_PER_ADDRESS, self.most_waiting):
            self._drop_oldest(group)
        elif waiting.total() >= self.most_waiting:
            self._drop_oldest(waiting.most_common(1)[0][0])
        self._connections.append(_Connection(connection, group))

    def admit(self, descriptor: int) -> bool:
        """Note that a connection has shown the token.

        Args:
            descriptor: Of its socket.

        Returns:
            Whether there is room for it.
        """
        self._forget_closed()
        found = next((each for each in self._connections if each.socket.fileno() == descriptor), None)
        if found is None:
            return False
        admitted = Counter(each.group for each in self._connections if each.is_admitted)
        is_full = admitted.total() >= self.most_admitted or admitted[found.group] >= MOST_ADMITTED_PER_ADDRESS
        found.is_admitted = not is_full
        return found.is_admitted

    def drop_waiting(self) -> None:
        """Hang up on all that have not shown the token."""
        for each in [each for each in self._connections if not each.is_admitted]:
            self._drop(each)

    def __len__(self) -> int:
        """Return how many there are."""
        self._forget_closed()
        return len(self._connections)

    def _forget_closed(self) -> None:
        self._connections = [each for each in self._connections if each.socket.fileno() >= 0]

    def _drop_oldest(self, group: str) -> None:
        oldest = next(each for each in self._connections if each.group == group and not each.is_admitted)
        self._drop(oldest)

    def _drop(self, connection: _Connection) -> None:
        self._connections.remove(connection)
        with contextlib.suppress(OSError):  # it is closed already
            connection.socket.shutdown(socket.SHUT_RDWR)  # its owner notices, and closes it


def group_of(address: str) -> str:
    """Return what counts as one address: this machine, one of IPv4, or one network of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.is_loopback:
        return "this machine"
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))
