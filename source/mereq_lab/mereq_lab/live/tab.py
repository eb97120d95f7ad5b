# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A browser's tab, as the server knows it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection

from .control import Hello

FIRST_WORD_S = 10.0
"""Time in which a tab has to say something [s]; the page does so once a second from the beginning."""

SILENT_S = 150.0
"""Silence after which its connection is given up [s]. A browser wakes a page that it hides once a minute."""

MOST_VIEWS = 4
"""Connections of its 3D view at once. The page has one, and for a moment a second one."""

MESSAGES_PER_S = 100.0
"""Messages of one tab that are listened to [1/s]; the page sends 32. As many may come at once after a silence."""

MOST_ANSWERS = 64
"""Answers that wait for a tab to read; the page asks for one a second."""


@dataclass(eq=False)
class Tab:
    """A browser's tab."""

    socket: ServerConnection
    person: Hello | None = None
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    answers: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MOST_ANSWERS))
    """What is said to this tab alone and has not been sent; of a tab that does not read, the newest."""

    allowance: float = MESSAGES_PER_S
    heard_at: float = field(default_factory=time.monotonic)
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    """Part of the path of its 3D view, so that one knows whose that is."""
    sees: Counter[str] = field(default_factory=Counter)
    """Connections of its 3D view through which something has come, by robot and load of the view."""

    views: set[ServerConnection] = field(default_factory=set)
    """Connections of its 3D view."""

    def may_speak(self) -> bool:
        """Take one message off the tab's allowance, and return whether there was one."""
        now = time.monotonic()
        self.allowance = min(self.allowance + (now - self.heard_at) * MESSAGES_PER_S, MESSAGES_PER_S)
        self.heard_at = now
        if self.allowance < 1.0:
            return False
        self.allowance -= 1.0
        return True

    def answer(self, **message: Any) -> None:
        """Say something to this tab alone."""
        self.answers.append(message)
        self.has_news.set()

    def take_answers(self) -> list[dict[str, Any]]:
        """Return what is to be sent, and forget it."""
        taken = list(self.answers)
        self.answers.clear()
        return taken
