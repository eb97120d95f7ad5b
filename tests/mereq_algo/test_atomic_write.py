# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Files are whole or not there, on the disk when the writer says so, and nothing of a killed writer stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from mereq_algo.atomic_write import WriteError, atomic_write, clear_left_overs, write_buffered, write_stream, write_text
from mereq_algo.networks import GaussianPolicy, PolicyCfg
from mereq_lab.export import DeterministicPolicy, write_model


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = np.random.default_rng(0).random(500_000)


def _torchscript(path: Path) -> None:
    module = torch.jit.script(torch.nn.Linear(1_000, 1_000))
    write_buffered(path, lambda stream: torch.jit.save(module, stream))


def _picture(path: Path) -> None:
    noise = np.random.default_rng(0).integers(256, size=(1_200, 1_200, 3), dtype=np.uint8)
    write_buffered(path, lambda stream: Image.fromarray(noise).save(stream, format="png"))


WRITERS: dict[str, Callable[[Path], None]] = {
    "bytes": lambda path: atomic_write(path, lambda file: file.write_bytes(bytes(4_000_000))),
    "torch": lambda path: write_stream(path, lambda stream: torch.save({"x": torch.randn(1_000_000)}, stream)),
    "hdf5": lambda path: atomic_write(path, _hdf5),
    "safetensors": lambda path: atomic_write(
        path, lambda file: safetensors.torch.save_file({"x": torch.randn(1_000_000)}, file)
    ),
    "torchscript": _torchscript,
    "picture": _picture,
}
"""Everything that writes a file here, with 4 MB to write."""


@pytest.mark.parametrize("writer", WRITERS)
def test_a_limit_is_one_line_and_the_earlier_file_stays(writer, tmp_path):
    """The limit is the process's own, so this one has to be another: it is met by every kind of writer."""
    path = tmp_path / "file"
    path.write_text("earlier")
    code = (
        "import resource, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from tests.mereq_algo.test_atomic_write import WRITERS, WriteError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "try: WRITERS[sys.argv[3]](Path(sys.argv[1]))\n"
        "except WriteError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(path), str(Path(__file__).parents[2]), writer]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.stdout == f"the file would be larger than this process may write: {path} is not written\n"
    assert path.read_text() == "earlier" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_one_line_and_the_earlier_file_stays(writer, small_disk):
    path = small_disk / "file"
    path.write_text("earlier")
    with pytest.raises(WriteError) as caught:
        WRITERS[writer](path)
    assert str(caught.value) == f"the disk is full: {path} is not written"
    assert path.read_text() == "earlier" and list(small_disk.iterdir()) == [path]


def test_an_export_onto_a_full_disk_is_one_line(small_disk):
    policy = GaussianPolicy(1_000, 1, PolicyCfg(hidden_dims=(1_000,)))
    with pytest.raises(WriteError, match=r"the disk is full: .*/policy\.pt is not written"):
        write_model(DeterministicPolicy(policy), small_disk, "policy")
    assert list(small_disk.iterdir()) == []


def test_the_file_is_on_the_disk_before_its_name_and_the_name_before_it_is_relied_on(tmp_path, monkeypatch):
    happened: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noting_fsync(descriptor):
        happened.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def noting_replace(source, target):
        happened.append("rename")
        replace(source, target)

    monkeypatch.setattr("os.fsync", noting_fsync)
    monkeypatch.setattr("os.replace", noting_replace)
    write_text(tmp_path / "new" / "folder" / "file", "text")
    folder = tmp_path / "new" / "folder"
    made = {str(tmp_path), str(tmp_path / "new")}  # the names of folders that were made for it
    assert set(happened[:2]) == made
    assert happened[2].startswith(str(folder / ".file.")) and happened[3:] == ["rename", str(folder)]


KILLED = """
import sys
from pathlib import Path
from mereq_algo.atomic_write import atomic_write

def write(file):
    file.write_bytes(b"half")
    print("ready", flush=True)
    sys.stdin.read()

atomic_write(Path(sys.argv[1]), write)
"""


def _killed_while_writing(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
        writer.send_signal(signal.SIGKILL)


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "a[b]*" / "file.json"  # names are no patterns
    _killed_while_writing(path)
    (left_over,) = path.parent.iterdir()
    assert left_over.name.startswith(".file.json.")
    write_text(path, "whole")
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_a_living_writer_and_other_files_are_left_alone(tmp_path):
    mine = tmp_path / f".file.{'0' * 8}-{os.getpid()}-{'0' * 8}"  # of another machine
    earlier = tmp_path / f".state.pt.{'a' * 32}"  # of an earlier version
    others = [tmp_path / ".gitignore", tmp_path / "file", tmp_path / ".file.old"]
    for file in (mine, earlier, *others):
        file.touch()
    clear_left_overs(tmp_path)
    assert mine.exists() and earlier.exists()
    clear_left_overs(tmp_path, is_ours=True)
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_what_is_no_fault_of_the_disk_is_not_hidden(tmp_path):
    with pytest.raises(ZeroDivisionError):
        atomic_write(tmp_path / "file", lambda file: 1 / 0)
    (tmp_path / "place").touch()
    with pytest.raises(WriteError, match="place/file is not written"):
        write_text(tmp_path / "place" / "file", "text")
