# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The console that everything is printed with: what it is given is text, whoever wrote it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.protocol import is_renderable
from rich.status import Status
from rich.text import Text

from .plain_text import plain


class PlainConsole(Console):
    """Prints text as it is, in tables and titles too: no markup, no emoji codes, nothing that a terminal obeys."""

    def __init__(self, **options: Any) -> None:
        """Set up the console.

        Args:
            options: Those of rich's console, but for markup and emoji, which are off.
        """
        super().__init__(**{**options, "markup": False, "emoji": False})

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does, but for objects that only Python can show (paths, say): those as text, too.

        Args:
            objects: What to print.
            options: Those of rich's console.
        """
        super().print(*(item if is_renderable(item) else str(item) for item in objects), **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return what rich prints for a piece of text; it comes here with every cell, heading, title and line.

        Args:
            text: The text; its lines stay lines.
            options: Those of rich's console; markup and emoji codes are text whatever they say.
        """
        lines = "\n".join(map(plain, text.split("\n")))
        return super().render_str(lines, **{**options, "markup": False, "emoji": False})

    def status(self, status: Any, **options: Any) -> Status:
        """Return rich's status line; its spinner would read markup whatever the console says.

        Args:
            status: Text to show.
            options: Those of rich's console.
        """
        return PlainStatus(status, console=self, **options)


class PlainStatus(Status):
    """A line with a spinner, while something goes on."""

    def __init__(self, status: Any, **options: Any) -> None:
        """Set up the line.

        Args:
            status: Text to show.
            options: Those of rich's status.
        """
        super().__init__(Text(plain(status)), **options)

    def update(self, status: Any = None, **options: Any) -> None:
        """Show another text.

        Args:
            status: The text; None leaves it.
            options: Those of rich's status.
        """
        super().update(None if status is None else Text(plain(status)), **options)
