# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the server answers: the files of the page, and a page for who may not come in."""

from __future__ import annotations

import gzip
import importlib.resources
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from . import page

FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "live.js": ("live.js", "text/javascript; charset=utf-8"),
    "hands.js": ("hands.js", "text/javascript; charset=utf-8"),
    "live.css": ("live.css", "text/css; charset=utf-8"),
}
"""What the page is made of, by path."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: what is here."""

CLOSED_PAGE = (
    "<!doctype html><meta charset=utf-8><title>MEReQ Lab</title>{again}"
    "<p>Open the link that the program printed when it started: it holds the key to this page, which your browser keeps"
    " as a cookie until you close it.</p>"
)
"""For a browser without the token."""

AGAIN = '<meta http-equiv="refresh" content="0; url=/?again">'
"""A browser that followed a link on another site's page keeps the cookie, and sends it only once it asks from here."""


def page_files() -> dict[str, tuple[bytes, str]]:
    """Return the page's files, compressed, and what each is, by path."""
    return {
        path: (gzip.compress(importlib.resources.files(page).joinpath(name).read_bytes()), kind)
        for path, (name, kind) in FILES.items()
    }


def refused(status: HTTPStatus, request: Request) -> Response:
    """Answer a request that may not come in, with a page where a browser asks for one."""
    path, _, query = request.path.partition("?")
    if path != "/" or "text/html" not in request.headers.get("Accept", ""):
        return response(status, status.phrase.encode())
    content = CLOSED_PAGE.format(again="" if query == "again" else AGAIN)
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
    return response(status, content.encode(), headers)


def response(status: HTTPStatus, body: bytes = b"", headers: dict[str, str] | None = None) -> Response:
    """Return an answer that no browser keeps.

    Args:
        status: What became of the request.
        body: What is sent.
        headers: Beside the usual ones.
    """
    fields = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    fields |= {"Content-Type": "text/plain; charset=utf-8", **(headers or {}), "Content-Length": str(len(body))}
    return Response(status.value, status.phrase, Headers(**fields), body)
