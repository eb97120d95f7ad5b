# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A cable that can be drawn: a proxy that stops to pass anything on, and says so to nobody."""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import urlsplit


class Cable:
    """Passes bytes on between browsers and a server on this machine, as long as it is plugged in."""

    def __init__(self, url: str) -> None:
        """Lead to a server.

        Args:
            url: Its link.
        """
        parts = urlsplit(url)
        assert parts.port is not None
        self._target = ("127.0.0.1", parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.is_drawn = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}{parts.path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(self._target)
                self._sockets += [here, there]
                for source, sink in ((here, there), (there, here)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(2**16):
                if not self.is_drawn.is_set():
                    sink.sendall(data)
            if not self.is_drawn.is_set():
                sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Tear it out, at both ends."""
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):  # it is closed already
                each.shutdown(socket.SHUT_RDWR)
            each.close()
