# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Who may come in: the address, the token in the link, and pages of other sites."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.http11 import Request


def is_local(host: str) -> bool:
    """Return whether an address is that of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Door:
    """Of one server.

    Whoever can reach a robot can move it. On this machine alone, pages of other sites are kept out: a browser tells
    where a page is from (``Origin``), and what name it looked up (``Host``). On any other address the first part of
    every path is a random token, too.
    """

    def __init__(self, host: str, port: int) -> None:
        """Make up a token if one is needed.

        Args:
            host: Address that is listened at.
            port: Port.
        """
        self.host = host
        self.port = port
        self.token = None if is_local(host) else secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        """The link that opens it."""
        host = socket.getfqdn() if self.host in ("0.0.0.0", "::") else self.host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}/{f'{self.token}/' if self.token else ''}"

    def path(self, request: Request) -> str:
        """Return what is asked for, without token, query and the slash before it."""
        path = request.path.partition("?")[0].removeprefix("/")
        return path if self.token is None else path.partition("/")[2]

    def refusal(self, request: Request) -> HTTPStatus | None:
        """Return why a request is refused, or None if it may come in."""
        if self.token is not None:
            given = request.path.partition("?")[0].removeprefix("/").partition("/")[0]
            if not secrets.compare_digest(given.encode(), self.token.encode()):
                return HTTPStatus.FORBIDDEN
        host = request.headers.get("Host", "")
        if self.token is None and not is_local(_name(host)):
            return HTTPStatus.FORBIDDEN
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("//")[2] != host:
            return HTTPStatus.FORBIDDEN
        return None


def _name(host: str) -> str:
    """Return the name in a ``Host`` header, without its port; nothing where there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half an address
        return ""
