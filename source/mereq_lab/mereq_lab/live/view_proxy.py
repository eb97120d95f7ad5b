# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The 3D view behind the page's own door: viser's client, and a pipe to its server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake

type View = int | Callable[[], socket.socket]
"""Where a 3D view is: what opens a connection to it within this process, or its port on this machine."""


def subprotocol_of_view(socket: ServerConnection, offered: Any) -> Any:
    """Return viser's own, which names its version."""
    return next((name for name in offered if name.startswith("viser-v")), None)


async def pass_on(browser: ServerConnection, where: View, on_shown: Callable[[bool], None]) -> None:
    """Be a pipe between a browser and a view.

    Args:
        browser: The browser's end.
        where: The view.
        on_shown: Called with True when the first of what is to be seen has passed, and with False when that is over.
    """
    is_shown = False

    def note_shown() -> None:
        nonlocal is_shown
        if not is_shown:
            is_shown = True
            on_shown(True)

    offered = [browser.subprotocol] if browser.subprotocol else None
    try:
        to: dict[str, Any] = {"host": "127.0.0.1", "port": where} if isinstance(where, int) else {"sock": where()}
        async with connect(
            "ws://view", subprotocols=offered, max_size=None, compression=None, proxy=None, **to
        ) as view:

            async def pump(source: Any, sink: Any, on_sent: Callable[[], None]) -> None:
                async for message in source:
                    await sink.send(message)
                    on_sent()

            ways = ((browser, view, lambda: None), (view, browser, note_shown))
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
