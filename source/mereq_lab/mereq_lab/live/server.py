# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The web server of live supervision: the page, its messages, and the 3D view behind the same door."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import threading
from collections import Counter
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from mereq_algo.errors import UserError

from .acceptor import Acceptor
from .answers import POLICY, page_files, refused, response
from .control import MAX_BYTES, Control, Hello, LeaveSeat, MessageError, Ping, Press, TakeSeat, parse_message
from .doors import Door
from .inner_listener import InnerListener
from .panel import Panel
from .quiet_log import QuietLog
from .seats import SeatError, Seats
from .tab import FIRST_WORD_S, MOST_VIEWS, SILENT_S, Tab
from .view_proxy import View, pass_on, subprotocol_of_view, viser_page

GOODBYE_S = 1.0
"""Most that the last message to all tabs may take [s]."""


class PortError(UserError):
    """The address cannot be had. The message is one line."""


class LiveServer:
    """Runs in a thread of its own, from :meth:`start` to :meth:`close`."""

    def __init__(
        self,
        seats: Seats,
        panel: Panel,
        task: dict[str, Any],
        host: str = "127.0.0.1",
        port: int = 8080,
        views: list[View] | None = None,
        log: QuietLog | None = None,
    ) -> None:
        """Prepare the server.

        Args:
            seats: Who supervises which robot.
            panel: What the page shows.
            task: What it shows of the task, once.
            host: Address to listen at.
            port: Port; 0 takes any that is free.
            views: What connects to each robot's 3D view, or its port on this machine.
            log: Says in short what goes wrong; None: one of its own.
        """
        self._seats = seats
        self._panel = panel
        self._task = task
        self._views = views or []
        self._door = Door(host, port)
        self._files = page_files()
        self._tabs: set[Tab] = set()
        self.dropped: Counter[str] = Counter()
        """Messages that were not listened to, by reason."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="live server", daemon=True)
        self._log = log or QuietLog()
        self._server: Server | None = None
        self._acceptor: Acceptor | None = None
        panel.on_change = self._on_change

    @property
    def url(self) -> str:
        """The link to give to a person."""
        return self._door.url

    def start(self) -> None:
        """Begin to listen.

        Raises:
            PortError: The address is none, taken, or not one of this machine, or too few files may be open.
        """
        if self._views:
            self._files["view"] = (gzip.compress(viser_page()), "text/html; charset=utf-8")
        self._thread.start()
        try:
            self._run(self._listen())
        except (OSError, UnicodeError) as error:
            self._stop_thread()
            reason = "no name of a machine" if isinstance(error, UnicodeError) else error.strerror or str(error)
            raise PortError(f"cannot listen at {self._door.host}:{self._door.port}: {reason}") from error

    def close(self) -> None:
        """Say good-bye to all tabs and end the thread."""
        if self._server is not None:
            self._run(self._shut())
            self._server = None
            self._stop_thread()

    def _run(self, task: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(task, self._loop).result()

    def _stop_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        """Connections are taken in, within limits, by the acceptor, and served by a server that listens within."""
        self._loop.set_exception_handler(self._on_error)
        inner = InnerListener()
        try:
            self._acceptor = Acceptor(inner.push, self._log)
            self._door.port = self._acceptor.listen(self._door.host, self._door.port)
        except (OSError, UnicodeError):
            inner.close()
            if self._acceptor is not None:
                self._acceptor.close()
            raise
        self._server = await serve(
            self._on_socket,
            sock=inner,
            process_request=self._on_request,
            select_subprotocol=subprotocol_of_view,
            compression=None,  # a millisecond of a core for a page on the same machine
            max_size=2**20,  # of the view's messages; ours are measured in parse_message
            open_timeout=5.0,
            close_timeout=1.0,
            logger=self._log.logger(),
        )

    async def _shut(self) -> None:
        assert self._server is not None and self._acceptor is not None
        self._acceptor.close()
        with contextlib.suppress(TimeoutError):  # the last that is to be known, why the session ends perhaps
            async with asyncio.timeout(GOODBYE_S):
                await asyncio.gather(*map(self._tell, self._tabs), return_exceptions=True)
        self._server.close(close_connections=True)
        await self._server.wait_closed()

    def _on_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Say what asyncio would print with all of its trace."""
        error = context.get("exception")
        self._log.say(context["message"] + ("" if error is None else f" ({type(error).__name__})"))

    def _on_change(self) -> None:
        """Tell all tabs, from whatever thread."""
        if self._server is not None:
            self._loop.call_soon_threadsafe(self._tell_all)

    def _tell_all(self) -> None:
        for tab in self._tabs:
            tab.has_news.set()

    def _on_request(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answer a request for a file, or let a socket in."""
        refusal = self._door.refusal(request)
        if refusal is not None:
            return refused(refusal, request)
        if not self._is_admitted(socket):
            self._log.say("too many connections: some are turned away")
            return response(HTTPStatus.SERVICE_UNAVAILABLE, b"too many connections")
        path = self._door.path(request)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return None if path == "control" or self._may_view(path) else response(HTTPStatus.NOT_FOUND)
        target = self._door.moves_to(request)
        if target is not None:
            return response(HTTPStatus.SEE_OTHER, headers=dict(target))
        if self._view(path) is not None:
            found = self._files["view"]
            return response(HTTPStatus.OK, found[0], {"Content-Type": found[1], "Content-Encoding": "gzip"})
        if path not in self._files or path == "view":
            return response(HTTPStatus.NOT_FOUND)
        content, kind = self._files[path]
        headers = {"Content-Type": kind, "Content-Encoding": "gzip", "Content-Security-Policy": POLICY}
        return response(HTTPStatus.OK, content, headers)

    def _is_admitted(self, socket: ServerConnection) -> bool:
        """Count a connection that has shown the token, and return whether there is room for it."""
        assert self._acceptor is not None
        raw = socket.transport.get_extra_info("socket")
        return raw is not None and self._acceptor.connections.admit(raw.fileno())

    def _may_view(self, path: str) -> bool:
        """Return whether a path names a view that its tab does not have too often."""
        view = self._view(path)
        return view is not None and len(view[1].views) < MOST_VIEWS

    def _view(self, path: str) -> tuple[View, Tab, str] | None:
        """Return the view that a path names, whose it is, and which: ``view/<robot>/<tab>/<load>/``."""
        match path.strip("/").split("/"):
            case ["view", robot, name, load] if robot.isdecimal() and int(robot) < len(self._views):
                tab = next((tab for tab in self._tabs if tab.name == name), None)
                return None if tab is None else (self._views[int(robot)], tab, f"{robot}/{load}")
        return None

    async def _on_socket(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        path = self._door.path(socket.request)
        if path == "control":
            await self._serve_tab(socket)
            return
        view = self._view(path)
        if view is None:  # its tab has just gone
            return
        where, tab, name = view
        tab.views.add(socket)

        def on_shown(is_shown: bool) -> None:
            tab.sees[name] += 1 if is_shown else -1
            tab.has_news.set()

        try:
            await pass_on(socket, where, on_shown)
        finally:
            tab.views.discard(socket)

    async def _serve_tab(self, socket: ServerConnection) -> None:
        tab = Tab(socket)
        self._tabs.add(tab)
        view = tab.name if self._views else None
        tab.answer(type="task", robots=self._seats.num_robots, view=view, **self._task)
        speaking = asyncio.create_task(self._speak(tab))
        patience_s = FIRST_WORD_S
        try:
            while True:
                async with asyncio.timeout(patience_s):
                    message = await socket.recv()
                patience_s = SILENT_S
                self._hear(tab, message)
        except (ConnectionClosed, TimeoutError):
            pass
        finally:
            self._tabs.discard(tab)
            self._seats.lose(tab)
            speaking.cancel()
            for view in tab.views:
                view.transport.abort()  # of a page that is gone; it would ask for another one
            self._tell_all()

    async def _speak(self, tab: Tab) -> None:
        """Send what is new, as fast as the tab takes it; what it was too slow for it never sees."""
        try:
            while True:
                await tab.has_news.wait()
                tab.has_news.clear()
                await self._tell(tab)
        except ConnectionClosed:
            pass

    async def _tell(self, tab: Tab) -> None:
        """Send how everything stands now."""
        for answer in tab.take_answers():
            await tab.socket.send(json.dumps(answer))
        robot = self._seats.robot_of(tab)
        state = self._panel.snapshot(robot)
        seats = {"robot": robot, "seats": self._seats.names(), "dropped": self.dropped.total()}
        own = {"sees": [name for name, number in tab.sees.items() if number > 0], **seats}
        await tab.socket.send(json.dumps({"type": "state", **state, **own}))

    def _hear(self, tab: Tab, text: str | bytes) -> None:
        """Do what a message says, if it is one."""
        if not tab.may_speak():
            self.dropped["too many"] += 1
            return
        try:
            message = parse_message(text)
        except MessageError:
            self.dropped["too long" if len(text) > MAX_BYTES else "malformed"] += 1
            return
        match message:
            case Control():
                self._seats.steer(tab, message)
            case Hello():
                tab.person = message
                tab.answer(type="welcome")
            case TakeSeat():
                self._seat(tab, message)
            case LeaveSeat():
                self._seats.leave(tab)
                self._tell_all()
            case Press():
                robot = self._seats.robot_of(tab)
                if robot is None:
                    tab.answer(type="refused", text="Take a robot first.")
                else:
                    self._panel.press(message.button, robot)
            case Ping():
                if message.waits:
                    self._seats.hear(tab)
                tab.answer(type="pong", time=message.time)

    def _seat(self, tab: Tab, message: TakeSeat) -> None:
        if tab.person is None:
            tab.answer(type="refused", text="Say who you are first.")
            return
        try:
            self._seats.take(message.robot, tab, tab.person, message.elsewhere)
        except SeatError as error:
            tab.answer(type="refused", text=str(error), elsewhere=error.is_elsewhere)
        self._tell_all()
