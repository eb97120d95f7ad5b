# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The 3D view behind the page's own door: viser's client, and a pipe to its server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake


def subprotocol_of_view(socket: ServerConnection, offered: Any) -> Any:
    """Return viser's own, which names its version."""
    return next((name for name in offered if name.startswith("viser-v")), None)


async def pass_on(socket: ServerConnection, port: int) -> None:
    """Be a pipe between a browser and a view."""
    offered = [socket.subprotocol] if socket.subprotocol else None
    try:
        async with connect(
            f"ws://127.0.0.1:{port}", subprotocols=offered, max_size=None, compression=None, proxy=None
        ) as view:

            async def pump(source: Any, sink: Any) -> None:
                async for message in source:
                    await sink.send(message)

            pumps = [asyncio.create_task(pump(socket, view)), asyncio.create_task(pump(view, socket))]
            _, unfinished = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
    except (ConnectionClosed, InvalidHandshake, OSError):
        return  # the page tries again


def viser_page() -> bytes:
    """Return viser's client: one file, which finds its server by its own address."""
    import viser

    return (Path(viser.__file__).parent / "client" / "build" / "index.html").read_bytes()
