# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Every file that the program reads, damaged: it is refused in one line, and nothing waits or fills the memory."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mereq_deploy.contract import Contract
from mereq_deploy.errors import UserError
from mereq_deploy.policy import OnnxPolicy
from mereq_deploy.runtime import LogReader, replay
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.safety.limits import DEFAULT_FILE
from mereq_deploy.tasks.board import check_marks
from mereq_deploy.tasks.marks import Marks

from .test_strokes import LAW

FILES = ("contract.json", "contract.sha256", "policy.onnx", "safety.toml", "marks.csv", "log.jsonl")


@pytest.fixture
def folder(values, export_folder) -> Path:
    """An export, a safety file, a file of marks and a log of a step."""
    values["parameters"] = {"marks": LAW}
    Contract.from_dict(values).save(export_folder)
    shutil.copy(DEFAULT_FILE, export_folder / "safety.toml")
    (export_folder / "marks.csv").write_text("".join(f"{x:.3f},0.0\n" for x in (0.45, 0.48, 0.52, 0.55)))
    arm = {
        **{"tool_position": [0.5, 0.0, 0.1], "tool_velocity": [0.0] * 3},
        **{"hand_orientation": [1.0, 0.0, 0.0, 0.0], "force": [0.0] * 3},
    }
    step = {"kind": "step", "step": 0, "reading": {"arm": arm}, "observation": [0.0] * 6, "action": [0.0] * 3}
    start = {"kind": "start", "task": "Franka-Test", "marks": None}
    (export_folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (start, step)))
    return export_folder


def read_all(folder: Path, name: str) -> None:
    """Read what a file is for, as the program does."""
    if name == "safety.toml":
        SafetyLimits.load(folder / name)
        return
    contract = Contract.load(folder)
    policy = OnnxPolicy(folder, contract)
    if name == "marks.csv":
        check_marks(Marks.load(folder / name), contract)
    elif name == "log.jsonl":
        replay(LogReader(folder / name), policy, contract)


def is_refused_in_one_line(folder: Path, name: str) -> bool:
    try:
        read_all(folder, name)
    except UserError as error:
        # The program prints the message's words in one line: none of them is a trace's.
        assert str(error) and "Traceback" not in str(error)
        return True
    return False


def seal(folder: Path, name: str) -> None:
    """Past the digest as well: somebody may have changed the file on purpose."""
    if name == "policy.onnx":
        contract = folder / "contract.json"
        values = json.loads(contract.read_text())
        values["models"]["policy"]["files"]["onnx"]["sha256"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        contract.write_text(json.dumps(values))
    if name in ("policy.onnx", "contract.json"):
        digest = hashlib.sha256((folder / "contract.json").read_bytes()).hexdigest()
        (folder / "contract.sha256").write_text(f"{digest}  contract.json\n")


CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    **{f"cut at {share}/8": lambda content, share=share: content[: len(content) * share // 8] for share in range(8)},
    "UTF-16": lambda content: content.decode("latin-1").encode("utf-16"),
    "zeros": lambda content: bytes(len(content)),
    "no UTF-8": lambda content: b"\xff\xfe\xfd",
    "a list": lambda content: b"[]",
    "nothing": lambda content: b"null",
    "text": lambda content: b'"text"',
    "a number": lambda content: b"1" + b"0" * 400,
    "infinity": lambda content: b"Infinity",
    "deep": lambda content: b"[" * 100_000,
    "closed and deep": lambda content: b"[" * 900 + b"]" * 900,
    "an archive": lambda content: b"PK\x03\x04",
    "packed": lambda content: gzip.compress(content),
    "half packed": lambda content: gzip.compress(content)[:-9],
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", CONTENTS)
def test_a_file_of_other_content_is_refused(folder, name, damage):
    (folder / name).write_bytes(CONTENTS[damage]((folder / name).read_bytes()))
    seal(folder, name)
    # A digest is made anew by sealing; of a log that was cut, the start alone is left at some places.
    assert is_refused_in_one_line(folder, name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_which_bytes_were_changed_is_refused_or_good(folder, name):
    """Where the digest is right: what is read then is a file that its owner changed on purpose."""
    whole = (folder / name).read_bytes()
    rng = np.random.default_rng(0)
    found = set()
    for _ in range(60):
        changed = bytearray(whole)
        changed[int(rng.integers(len(whole)))] = int(rng.integers(256))
        (folder / name).write_bytes(changed)
        seal(folder, name)
        found.add(is_refused_in_one_line(folder, name))
    assert True in found or name == "policy.onnx"  # a network of another weight is a network


PLACES: dict[str, Callable[[Path], None]] = {
    "missing": lambda file: None,
    "a folder": lambda file: file.mkdir(),
    "a pipe": lambda file: os.mkfifo(file),
    "without an end": lambda file: file.symlink_to("/dev/zero"),
    "empty device": lambda file: file.symlink_to("/dev/null"),
    "a link to itself": lambda file: file.symlink_to(file),
}


# A shell may give a program marks through a pipe.
NO_FILES = [(name, kind) for name in FILES for kind in PLACES if (name, kind) != ("marks.csv", "a pipe")]


@pytest.mark.parametrize(("name", "kind"), NO_FILES)
@pytest.mark.timeout(60)
def test_what_is_no_file_is_refused_at_once(folder, name, kind):
    (folder / name).unlink()
    PLACES[kind](folder / name)
    assert is_refused_in_one_line(folder, name)


def test_marks_may_come_through_a_pipe(folder):
    """As from a shell: --marks <(python find_marks.py)."""
    reading, writing = os.pipe()
    os.write(writing, b"0.5,0.0\n0.6,0.1\n")
    os.close(writing)
    np.testing.assert_allclose(Marks.load(Path(f"/dev/fd/{reading}")), [[0.5, 0.0], [0.6, 0.1]])
    os.close(reading)


@pytest.mark.parametrize("part", ["observation", "action"])
@pytest.mark.parametrize("value", [None, 3, [0.0], [[0.0] * 6], "text", [10**400] * 6, {}])
def test_a_step_of_another_shape_is_refused(folder, part, value):
    log = folder / "log.jsonl"
    start, step = map(json.loads, log.read_text().splitlines())
    step[part] = value
    log.write_text(json.dumps(start) + "\n" + json.dumps(step) + "\n")
    assert is_refused_in_one_line(folder, "log.jsonl")


@pytest.mark.parametrize("marks", [3, [[0.5]], [[10**400, 0.0]] * 4, "x"])
def test_marks_of_another_shape_in_a_log_are_refused(folder, marks):
    log = folder / "log.jsonl"
    start, step = map(json.loads, log.read_text().splitlines())
    log.write_text(json.dumps({**start, "marks": marks}) + "\n" + json.dumps(step) + "\n")
    assert is_refused_in_one_line(folder, "log.jsonl")
