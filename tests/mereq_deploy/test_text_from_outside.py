# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Names that a terminal or a file system takes for something else, in a contract and on the command line."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mereq_deploy.cli import main
from mereq_deploy.contract import Contract, ContractError

from ..hostile import HOSTILE

UNPRINTED = {"versions", "source", "parameters", "theta", "home", "format"}
"""Parts of a contract that go into no message as text, or are compared with what is known."""


def texts(value: Any, change: Callable[[Any], None] | None = None) -> Iterator[Callable[[Any], None]]:
    """Functions that replace one text each, in place."""
    if isinstance(value, str) and change is not None:
        yield change
    elif isinstance(value, (dict, list)):
        places = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in list(places):
            if change is not None or key not in UNPRINTED:
                yield from texts(part, lambda new, value=value, key=key: value.__setitem__(key, new))


@pytest.mark.parametrize("text", ["\x1b[31mred", "two\nlines", "\u202eabc", "\ud800"], ids=ascii)
def test_every_text_of_a_contract_can_be_printed(values, text):
    number = len(list(texts(values)))
    assert number > 15
    for index in range(number):
        changed = copy.deepcopy(values)
        list(texts(changed))[index](text)
        with pytest.raises(ContractError):
            Contract.from_dict(changed)


@pytest.mark.parametrize("task", ["", " ", ".", "..", ".hidden", "a/b", "/etc/x", "../../x", "x" * 101])
def test_a_task_names_a_file_in_the_folder_of_logs(values, task):
    with pytest.raises(ContractError, match="contract: task is"):
        Contract.from_dict({**values, "task": task})


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_the_program_says_of_a_name_is_one_line_of_text(text, tmp_path, capsys):
    name = text.replace("/", "|").replace("\ud800", "\udc80")
    assert main(["--policy", str(tmp_path / name), "--robot", "simulated"]) == 2
    output, errors = capsys.readouterr()
    assert output == "" and errors.startswith("error: no contract: ") and errors.count("\n") == 1
    assert errors[:-1].isprintable()
