# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Everything that is printed goes through one console, or one function of the runtime, which take all of it as text."""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.table import Table

from mereq_deploy import plain_text
from mereq_lab.plain_console import PlainConsole
from mereq_lab.plain_text import plain

from .hostile import HOSTILE

REPOSITORY = Path(__file__).resolve().parents[1]
FILES = [file for folder in ("scripts", "source") for file in (REPOSITORY / folder).rglob("*.py")]

RAW_CONSOLES = {"source/mereq_lab/mereq_lab/plain_console.py"}

RAW_PRINTS = {
    "scripts/tools/peers/robosuite_speed.py": "numbers alone, in an environment of its own",
    "source/mereq_lab/mereq_lab/strict_options/sitecustomize.py": "Python reads it before there is any package",
    "source/mereq_lab/mereq_lab/live/quiet_log.py": "one of few texts",
    "source/mereq_deploy/mereq_deploy/plain_text.py": "where the runtime prints",
    "source/mereq_deploy/mereq_deploy/simulated/controller.py": "one word, for the process that started it",
}
"""Files that print with Python's own function, and why nothing from outside is in it."""

OF_RICH = {
    "rich": {"get_console", "inspect", "print", "print_json"},
    "rich.console": {"Console"},
    "rich.progress": {"track"},
    "rich.prompt": {"Confirm", "FloatPrompt", "IntPrompt", "Prompt"},
    "rich.status": {"Status"},
}
"""Names that print, or make something that does, with rich's own console."""


def names(call: ast.Call) -> set[str | None]:
    return {keyword.arg for keyword in call.keywords}


def calls_of_rich(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.name in OF_RICH.get(node.module or "", ()))
        elif isinstance(node, ast.Import):  # which would hide the names
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "rich")
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Live", "Progress"):
            yield from [] if "console" in names(node) else ["a display without our console"]


def test_no_console_of_rich_but_ours():
    found = {str(file.relative_to(REPOSITORY)): set(calls_of_rich(ast.parse(file.read_text()))) for file in FILES}
    assert {name for name, calls in found.items() if calls} == RAW_CONSOLES, found


def test_no_print_of_python_but_where_it_is_known_why():
    def prints(file: Path) -> bool:
        calls = (node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
        return any(isinstance(called, ast.Name) and called.id == "print" for called in calls)

    assert {str(file.relative_to(REPOSITORY)) for file in FILES if prints(file)} == set(RAW_PRINTS)


def printed(*items: object, **options: object) -> str:
    output = io.StringIO()
    PlainConsole(file=output, width=200, **options).print(*items)
    return output.getvalue()


def expected(text: str) -> list[str]:
    """The lines of a text, as they should be printed."""
    return [plain(line) for line in text.split("\n")]


def tables(text: str) -> Iterator[Table]:
    for title, heading, cell, caption in (
        (text, "", "", ""),
        ("", text, "", ""),
        ("", "", text, ""),
        ("", "", "", text),
    ):
        table = Table(heading, title=title, caption=caption, min_width=150)
        table.add_row(cell)
        yield table


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_the_console_prints_text_as_text(text):
    for item in (text, Path(text), *tables(text)):
        output = printed(item)
        assert all(character == "\n" or character.isprintable() for character in output)
        assert all(line in output for line in expected(str(item) if isinstance(item, Path) else text))


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_status_line_is_text(text):
    output = io.StringIO()
    console = PlainConsole(file=output, width=200, force_terminal=True)
    with console.status(text) as status:
        status.update(f"{text}: once more")
        status.update(f"{text}: with another spinner", spinner="line")
    shown = output.getvalue()
    assert plain(text) in shown and f"{plain(text)}: with another spinner" in shown
    assert text.isprintable() or text not in shown


def test_the_runtime_takes_the_same_for_text_as_the_trainer():
    characters = "".join(map(chr, (*range(0x3000), *range(0xD7F0, 0xE010), *range(0xFE00, 0x10010), 0x1F600, 0x10FFFF)))
    assert plain(characters) == plain_text.plain(characters)
    assert plain(characters).isprintable()


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_the_runtime_prints_text_as_text(text, capsys):
    plain_text.say(text)
    plain_text.complain(text)
    output, errors = capsys.readouterr()
    assert output == errors == "\n".join(expected(text)) + "\n"


def test_nothing_is_printed_to_a_stream_that_is_not_there(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    plain_text.say("text")
