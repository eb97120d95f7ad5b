# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Pages of the reference, made from the code: the command lines, and the settings with their docstrings."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import functools
import inspect
import re
import runpy
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

COLUMNS = 100
"""Width of the help texts."""


def commands_page(scripts: Path) -> str:
    """Return a page with the help text of every script.

    Args:
        scripts: Folder of the scripts; those with a function ``make_parser`` are listed.
    """
    parts = [
        "# Command lines",
        "What `--help` says of every script. Settings (`agent.max_rounds=4`, `env.episode_length_s=6`, `physics=physx`)"
        " can be added to each command that takes `--task`; see [settings](settings.md).",
    ]
    for file in sorted(scripts.glob("*.py")):
        found = runpy.run_path(str(file), run_name="reference")
        if "make_parser" not in found:
            continue
        parts.append(f"## {file.name}")
        parts += [f"```text\n{text}```" for text in help_texts(found["make_parser"](), f"scripts/{file.name}")]
    return "\n\n".join(parts) + "\n"


def help_texts(parser: argparse.ArgumentParser, program: str) -> list[str]:
    """Return the help text of a parser, and those of its commands if it has any.

    Args:
        parser: The parser.
        program: What is typed to run it.
    """
    texts = [_help_text(parser, program)]
    choices = [action.choices for action in parser._actions if isinstance(action.choices, Mapping)]
    for command, sub in (item for found in choices for item in found.items()):
        texts.append(_help_text(sub, f"{program} {command}"))
    return texts


def _help_text(parser: argparse.ArgumentParser, program: str) -> str:
    """Return a help text of one width, whatever the terminal."""
    parser.prog = program
    parser.formatter_class = functools.partial(parser.formatter_class, width=COLUMNS)  # type: ignore[assignment]
    return parser.format_help()


def settings_page(cfg: Any, prefix: str, tasks: Mapping[str, Path]) -> str:
    """Return a page with all settings: name, default and docstring, and what each task changes.

    Args:
        cfg: An instance of the outermost configuration, with its defaults.
        prefix: What its settings begin with on a command line.
        tasks: Files with the settings of each task, by its name.
    """
    parts = [
        "# Settings",
        f"Settings of a run. Change one on the command line: `{prefix}.max_rounds=4`. *Source* says where a value comes"
        ' from; "ours" means that the paper is silent, or that we chose otherwise and measured it.',
        "## What each task changes",
        _changes(prefix, tasks),
    ]
    for name, group in _groups(prefix, cfg):
        summary = _plain(inspect.getdoc(type(group)) or "").partition("\n\n")[0].replace("\n", " ")
        rows = ["| setting | default | |", "|---|---|---|"]
        documented = docstrings(type(group))
        for field in dataclasses.fields(group):
            value = getattr(group, field.name)
            if not dataclasses.is_dataclass(value):
                text = _plain(documented.get(field.name, "")).replace("\n", " ").replace("|", "\\|")
                rows.append(f"| `{field.name}` | `{value}` | {text} |")
        parts += [f"## {name}", summary, "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def docstrings(cfg: type) -> dict[str, str]:
    """Return what stands below each field of a dataclass, by the field's name."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cfg))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for node, after in zip(tree.body, tree.body[1:], strict=False):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(after, ast.Expr)):
            continue
        if isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            found[node.target.id] = inspect.cleandoc(after.value.value)
    return found


def _groups(name: str, cfg: Any) -> Iterator[tuple[str, Any]]:
    """Yield a configuration and all that are nested in it, with their names."""
    yield name, cfg
    for field in dataclasses.fields(cfg):
        value = getattr(cfg, field.name)
        if dataclasses.is_dataclass(value):
            yield from _groups(f"{name}.{field.name}", value)


def _changes(prefix: str, tasks: Mapping[str, Path]) -> str:
    """Return a table of the values that the tasks' files have."""
    read = {task: yaml.safe_load(file.read_text(encoding="utf-8")) for task, file in tasks.items()}
    values = {task: dict(_leaves(prefix, found)) for task, found in read.items()}
    rows = [f"| | {' | '.join(f'`{task}`' for task in tasks)} |", "|---|" + "---|" * len(tasks)]
    for name in sorted({name for found in values.values() for name in found}):
        cells = (f"`{found[name]}`" if name in found else "" for found in values.values())
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield name, value
        return
    for key, inner in value.items():
        yield from _leaves(f"{name}.{key}", inner)


def _plain(text: str) -> str:
    """Return a docstring as Markdown."""
    names = re.compile(r":(?:class|func|meth|obj|data|attr):`~?([^`]+)`")
    return names.sub(lambda match: f"`{match[1].rpartition('.')[2]}`", text).replace("``", "`")
