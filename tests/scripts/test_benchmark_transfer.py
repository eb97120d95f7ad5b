# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How figures of two simulations are put beside each other: by which names, and of which actions."""

from __future__ import annotations

import importlib
import io
import json
from pathlib import Path
from types import ModuleType

import pytest

from mereq_deploy.arguments import UsageError
from mereq_lab.plain_console import PlainConsole

from ..hostile import HOSTILE
from .conftest import REPOSITORY

CELL = {"mean": 0.5}


@pytest.fixture
def script(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(REPOSITORY / "scripts" / "tools")
    return importlib.import_module("benchmark_transfer")


def test_policies_of_the_same_name_are_told_apart_by_their_paths(script, tmp_path):
    folders = [tmp_path / run / "export" for run in ("first", "second")]
    assert script.names_of(folders) == {"first/export": folders[0], "second/export": folders[1]}
    assert script.names_of([tmp_path / "prior", tmp_path / "x" / "aligned"]).keys() == {"prior", "aligned"}
    assert script.names_of([tmp_path / "x" / "..", tmp_path / "x"]).keys() == {tmp_path.name, "x"}
    with pytest.raises(UsageError, match="the same folder is named twice"):
        script.names_of([tmp_path / "x", tmp_path / "y" / ".." / "x"])


def test_each_policy_is_compared_or_it_is_an_error(script):
    assert script.advantage_kept([0.1, 0.5, 0.9], []) == []
    assert script.advantage_kept([0.0, 0.5, 0.75], [0.0, 1.0, 1.0]) == [0.5, 0.75]
    with pytest.raises(ValueError, match="zip"):
        script.advantage_kept([0.0, 0.5, 0.75], [0.0, 1.0])


@pytest.mark.parametrize("actions", [{"actions": "sampled"}, {}, {"actions": None}])
def test_figures_of_other_actions_are_refused(script, tmp_path, actions):
    file = tmp_path / "figures.json"
    file.write_text(json.dumps({"ink_removed": CELL, "over_force_limit": CELL, **actions}))
    with pytest.raises(UsageError, match=r"are of other actions: .*--deterministic"):
        script.read_figures(file)


def test_figures_of_mean_actions_are_taken(script, tmp_path):
    file = tmp_path / "figures.json"
    file.write_text(json.dumps({"ink_removed": CELL, "over_force_limit": CELL, "actions": "mean"}))
    assert script.read_figures(file)["ink_removed"] == CELL


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\n" not in text], ids=ascii)
def test_the_table_has_names_as_text_and_says_which_actions(script, text):
    name = Path(text).name or text
    figures = [dict.fromkeys(script.COLUMNS, 0.5)] * 2
    output = io.StringIO()
    PlainConsole(file=output, width=250).print(script.table({"prior": figures, name: figures}, [], [0.5, 0.5], []))
    shown = output.getvalue()
    assert "actions mean" in shown
    assert all(character == "\n" or character.isprintable() for character in shown)
    assert name in shown or not name.isprintable()
