# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Who may reach the page: everything asks for the token of the link, also on this machine."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request
from websockets.sync.client import connect

from mereq_lab.live import doors
from mereq_lab.live.doors import Door, is_local

from .live_browser import control_of, open_page
from .live_stand import Client, Stand

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=["this machine", "elsewhere"])
def stand(request, monkeypatch, tmp_path) -> Iterator[Stand]:
    """A page that is served to this machine, and one to others; both are listened for on this one."""
    if request.param == "elsewhere":
        monkeypatch.setattr(doors, "is_local", lambda host: False)
    stand = Stand(tmp_path / "recordings")
    yield stand
    stand.close()


def ask(stand: Stand, path: str, **headers: str) -> HTTPResponse:
    """Asks for a path as a browser does, and follows nothing."""
    connection = HTTPConnection("127.0.0.1", urlsplit(stand.server.url).port or 0, timeout=10.0)
    connection.request("GET", path, headers={"Accept": "text/html,*/*", **headers})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def token_of(stand: Stand) -> str:
    return urlsplit(stand.server.url).path.strip("/")


def test_the_link_has_a_token_which_is_another_one_each_time():
    assert [is_local(host) for host in ("127.0.0.1", "127.8.0.1", "::1", "localhost")] == [True] * 4
    assert [is_local(host) for host in ("0.0.0.0", "::", "192.0.2.7", "robot.lab", "")] == [False] * 5
    for host, shown in (("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("192.0.2.7", "192.0.2.7")):
        first, second = Door(host, 80), Door(host, 80)
        assert first.url == f"http://{shown}:80/{first.token}/" and len(first.token) >= 32
        assert first.token != second.token


def test_without_the_token_nothing_is_served(stand):
    token = token_of(stand)
    wrong = ("", "live.js", "hands.js", "control", "view/0/x/1/", "x/", f"{token[:-1]}/", f"{token}x/", "%00/")
    cookie = f"mereq-{urlsplit(stand.server.url).port}"
    for path in wrong:
        for headers in ({}, {"Cookie": f"{cookie}={token[:-1]}"}, {"Cookie": f"other={token}; {cookie}=; x"}):
            answer = ask(stand, f"/{path}", **headers)
            assert answer.status == 403 and answer.getheader("Set-Cookie") is None, path
    root = stand.server.url.removesuffix(f"{token}/").replace("http", "ws")
    for path in ("control", "wrong/control", "view/0/x/1/"):
        with pytest.raises(InvalidStatus, match="403"):
            connect(root + path, proxy=None)


def test_a_visit_moves_the_token_from_the_link_to_a_cookie(stand):
    token, port = token_of(stand), urlsplit(stand.server.url).port
    for path, target in ((f"/{token}/", "/"), (f"/{token}", "/"), (f"/{token}/?picture=none", "/?picture=none")):
        answer = ask(stand, path)
        assert (answer.status, answer.getheader("Location")) == (303, target)
        assert answer.getheader("Cache-Control") == "no-store" and answer.getheader("Referrer-Policy") == "no-referrer"
        pair, *attributes = (answer.getheader("Set-Cookie") or "").split("; ")
        assert pair == f"mereq-{port}={token}"
        assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    cookie = {"Cookie": f"theme=dark; mereq-{port}={token}; mereq-1=x"}
    for path in ("/", "/live.js", "/hands.js", "/live.css"):
        assert ask(stand, path, **cookie).status == 200
    headers = {"Cookie": f"mereq-{port}={token}", "Origin": "http://evil.example"}
    assert ask(stand, "/", **headers).status == 403
    with connect(f"ws://127.0.0.1:{port}/control", additional_headers=cookie, proxy=None) as socket:
        assert json.loads(socket.recv())["type"] == "task"


def test_a_program_goes_on_with_the_link(stand):
    client = Client(stand.server.url)
    assert client.state["robot"] == 0
    client.close()


def test_the_browser_forgets_the_link(stand, browser: Browser):
    """Neither its address nor its history has the token, no script can read it, and the page works without."""
    page = browser.new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("about:blank")
    page.goto(f"{stand.server.url}?picture=none")
    token = token_of(stand)
    page.locator("#person").fill("Ada")
    page.keyboard.press("Enter")
    stand.begin(episodes=1)
    expect(page.locator("#banner")).to_have_text("the robot is in control")
    page.keyboard.down("Space")
    control_of(stand, lambda control: control.engaged)
    assert token not in page.url and page.evaluate("document.cookie") == ""
    assert [url for url in asked if token in url] == [f"{stand.server.url}?picture=none"]
    page.go_back()
    assert page.url == "about:blank", "the link itself is no place to go back to"
    page.go_forward()
    assert token not in page.url
    expect(page.locator("#task")).to_have_text("Point")
    page.context.close()


def test_a_link_on_a_page_of_another_site_works(stand, browser: Browser):
    """Its cookie is not sent with what another site's page leads to, so the page has to ask once more."""

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<a href="{stand.server.url}">supervise</a>'.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_context().new_page()
        page.goto(f"http://localhost:{server.server_address[1]}/")  # another site than 127.0.0.1
        page.get_by_text("supervise").click()
        expect(page.locator("#hello")).to_be_visible()
        assert token_of(stand) not in page.url and page.url.endswith("/")
        page.context.close()
        server.shutdown()


def test_a_browser_without_the_token_is_told_where_it_is(stand, browser: Browser):
    page = browser.new_context().new_page()
    page.goto(f"http://127.0.0.1:{urlsplit(stand.server.url).port}/")
    expect(page.locator("body")).to_contain_text("Open the link that the program printed")
    page.context.close()


def test_a_page_of_a_program_that_was_started_again_says_so(tmp_path, browser: Browser):
    first = Stand(tmp_path / "first")
    page = open_page(browser, first.server.url)
    expect(page.locator("#banner")).to_have_text("starting")
    second = Stand(tmp_path / "second", serve=False)
    second.server._door.port = urlsplit(first.server.url).port or 0
    first.close()
    second.server.start()
    expect(page.locator("#banner")).to_have_text("started again: open its new link")
    page.context.close()
    second.close()


@pytest.mark.parametrize(
    "cookie", ["", ";", "=", "mereq-80", "mereq-80=", "mereq-80=\xff", "a=b" * 2_000, 'mereq-80="x"; =; ;']
)
def test_no_cookie_of_another_program_hurts(cookie):
    door = Door("127.0.0.1", 80)
    assert door.refusal(Request("/", Headers({"Host": "127.0.0.1", "Cookie": cookie}))) == 403
