# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Who may come in: the token of the printed link, the address, and pages of other sites."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Request


def is_local(host: str) -> bool:
    """Return whether an address is that of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Door:
    """Access rules of one server.

    Everything asks for a random token: whoever can reach a robot can move it, also another user of this machine. It is
    the first part of the path of the printed link. A browser is given it as a cookie there and sent on to a path
    without it, so that it stays out of the history. Pages of other sites are kept out as well: a browser tells where a
    page is from (``Origin``), and what name it looked up (``Host``).
    """

    def __init__(self, host: str, port: int) -> None:
        """Make up a token.

        Args:
            host: Address that is listened at.
            port: Port.
        """
        self.host = host
        self.port = port
        self.token = secrets.token_urlsafe(24)
        self._is_local = is_local(host)

    @property
    def url(self) -> str:
        """The link that opens it."""
        host = socket.getfqdn() if self.host in ("", "0.0.0.0", "::") else self.host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}/{self.token}/"

    @property
    def _cookie(self) -> str:
        """Its name: cookies of one address go to all of its ports."""
        return f"mereq-{self.port}"

    def path(self, request: Request) -> str:
        """Return what is asked for, without token, query and the slash before it."""
        path = request.path.partition("?")[0].removeprefix("/")
        first, _, rest = path.partition("/")
        return rest if self._is_token(first) else path

    def moves_to(self, request: Request) -> Headers | None:
        """Return where a browser that opens the link goes on, with the token as its cookie; None if it does not.

        A program that keeps no cookies does not ask for a page, and goes on with the link.
        """
        path, _, query = request.path.partition("?")
        if not self._is_token(path.strip("/")) or "text/html" not in request.headers.get("Accept", ""):
            return None
        cookie = f"{self._cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"
        return Headers({"Location": f"/?{query}" if query else "/", "Set-Cookie": cookie})

    def refusal(self, request: Request) -> HTTPStatus | None:
        """Return why a request is refused, or None if it may come in."""
        host = request.headers.get("Host", "")
        if self._is_local and not is_local(_name(host)):
            return HTTPStatus.FORBIDDEN
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("//")[2] != host:
            return HTTPStatus.FORBIDDEN
        first = request.path.partition("?")[0].removeprefix("/").partition("/")[0]
        if self._is_token(first) or any(map(self._is_token, self._cookies(request))):
            return None
        return HTTPStatus.FORBIDDEN

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(errors="replace"), self.token.encode())

    def _cookies(self, request: Request) -> list[str]:
        """Return what a browser keeps for this server; other programs' cookies come along."""
        pairs = (pair.strip().partition("=") for line in request.headers.get_all("Cookie") for pair in line.split(";"))
        return [value for name, _, value in pairs if name == self._cookie]


def _name(host: str) -> str:
    """Return the name in a ``Host`` header, without its port; nothing where there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half an address
        return ""
