# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The 3D view behind the page's own door: viser's client, and a pipe to its server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake


def subprotocol_of_view(socket: ServerConnection, offered: Any) -> Any:
    """Return viser's own, which names its version."""
    return next((name for name in offered if name.startswith("viser-v")), None)


async def pass_on(socket: ServerConnection, port: int, on_shown: Callable[[bool], None]) -> None:
    """Be a pipe between a browser and a view.

    Args:
        socket: The browser's end.
        port: The view's, on this machine.
        on_shown: Called with True when the first of what is to be seen has passed, and with False when that is over.
    """
    is_shown = False

    def note_shown() -> None:
        nonlocal is_shown
        if not is_shown:
            is_shown = True
            on_shown(True)

    offered = [socket.subprotocol] if socket.subprotocol else None
    try:
        async with connect(
            f"ws://127.0.0.1:{port}", subprotocols=offered, max_size=None, compression=None, proxy=None
        ) as view:

            async def pump(source: Any, sink: Any, on_sent: Callable[[], None]) -> None:
                async for message in source:
                    await sink.send(message)
                    on_sent()

            ways = ((socket, view, lambda: None), (view, socket, note_shown))
            pumps = [asyncio.create_task(pump(*way)) for way in ways]
            _, unfinished = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
    except (ConnectionClosed, InvalidHandshake, OSError):
        return  # the page tries again
    finally:
        if is_shown:
            on_shown(False)


def viser_page() -> bytes:
    """Return viser's client: one file, which finds its server by its own address."""
    import viser

    return (Path(viser.__file__).parent / "client" / "build" / "index.html").read_bytes()
