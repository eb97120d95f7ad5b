# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where viser listens: it asks for a host and a port, which every program of the machine could reach."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import websockets.asyncio.server


@contextlib.contextmanager
def served_at(listener: socket.socket | None) -> Iterator[None]:
    """Lets viser, which takes a host and a port alone, listen at a socket that is there already."""
    if listener is None:
        yield
        return
    original = websockets.asyncio.server.serve

    def serve(handler: Any, host: str, port: int, **settings: Any) -> Any:
        return original(handler, sock=listener, **settings)

    websockets.asyncio.server.serve = serve
    try:
        yield
    finally:
        websockets.asyncio.server.serve = original
