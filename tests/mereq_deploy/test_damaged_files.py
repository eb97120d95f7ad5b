# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whatever befalls a file that the deployed program reads, it is read or refused in one line before anything moves."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mereq_deploy.cli import USER_ERRORS
from mereq_deploy.contract import Contract
from mereq_deploy.policy import OnnxPolicy
from mereq_deploy.runtime import LogReader
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.safety.limits import DEFAULT_FILE
from mereq_deploy.tasks.marks import Marks

from ..mereq_algo.test_damaged_files import BYTES, PLACES, REPEATED


@pytest.fixture
def place(export_folder) -> Path:
    """An export, and beside it all else that the program reads."""
    shutil.copy(DEFAULT_FILE, export_folder / "safety.toml")
    (export_folder / "marks.csv").write_text("0.5,0.0\n0.51,0.01\n", encoding="utf-8")
    start = {"kind": "start", "task": "Franka-Test", "marks": None}
    (export_folder / "log.jsonl").write_text(json.dumps(start) + "\n" + json.dumps({"kind": "step", "step": 0}) + "\n")
    return export_folder


def readers(place: Path) -> dict[str, Callable[[], Any]]:
    """All that is read, by file."""

    def policy() -> None:
        OnnxPolicy(place, Contract.load(place))

    return {
        "contract.json": policy,
        "contract.sha256": policy,
        "policy.onnx": policy,
        "safety.toml": lambda: SafetyLimits.load(place / "safety.toml"),
        "marks.csv": lambda: Marks.load(place / "marks.csv"),
        "log.jsonl": lambda: LogReader(place / "log.jsonl"),
    }


FILES = tuple(readers(Path("/a/b/c")))


def read_or_told(place: Path, file: str) -> None:
    try:
        readers(place)[file]()
    except ValueError as error:
        assert isinstance(error, USER_ERRORS), f"{file}: {error!r}"
        assert str(error).strip() and str(place) in str(error), error


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("how", BYTES)
def test_damaged_bytes(place, file, how):
    generator, content = random.Random(f"{file} {how}"), (place / file).read_bytes()
    for _ in range(6 if how in REPEATED else 1):
        (place / file).write_bytes(BYTES[how](content, generator))
        read_or_told(place, file)


@pytest.mark.timeout(120)  # a pipe without a writer keeps its reader waiting
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("how", PLACES)
def test_something_else_in_a_file_s_place(place, file, how):
    PLACES[how](place / file)
    read_or_told(place, file)
