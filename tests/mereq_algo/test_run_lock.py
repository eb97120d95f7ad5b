# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One process at a time writes to a run folder, and the others are told which."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mereq_algo.records import RunFolder, RunInUseError
from mereq_algo.records.run_lock import locked

HOLDER = """
import sys
from pathlib import Path
from mereq_algo.records import RunFolder

with RunFolder(Path(sys.argv[1])).lock("./isaaclab.sh -p scripts/train_mereq.py"):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder.create(tmp_path, "Linear", "test")


def _hold(folder: RunFolder) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def test_the_second_is_refused_and_told_who_the_first_is(folder):
    with _hold(folder) as holder:
        with pytest.raises(RunInUseError) as caught, folder.lock("me"):
            pass
        message = str(caught.value)
        assert f"in use by process {holder.pid} on {socket.gethostname()} since 2" in message
        assert "(./isaaclab.sh -p scripts/train_mereq.py)" in message and str(folder.path) in message
        holder.kill()
    with folder.lock("me"):  # nothing stays of a process that was killed
        pass


def test_a_lock_ends_with_its_process_and_clears_what_others_left(folder):
    with _hold(folder) as holder:
        holder.send_signal(signal.SIGKILL)
    left_over = folder.path / "checkpoints" / f".state.pt.{'0' * 32}"
    left_over.parent.mkdir()
    left_over.touch()
    with folder.lock("me"):
        assert not left_over.exists()


def test_a_holder_that_has_not_said_who_it_is_is_another_process(folder):
    with _hold(folder) as holder:
        Path(folder.path / "run.lock").write_text("{")
        with pytest.raises(RunInUseError, match="in use by another process"), folder.lock("me"):
            pass
        holder.kill()


def test_a_command_and_a_folder_may_be_no_utf8(tmp_path):
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    with (
        locked(folder, f"train_mereq.py --logs {folder}"),
        pytest.raises(RunInUseError, match="in use by process"),
        locked(folder, "me"),
    ):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_a_folder_that_cannot_be_locked_is_not_in_use(folder, monkeypatch, number):
    """As on a network folder whose server keeps no locks."""

    def flock(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(RunInUseError, match="run folder cannot be locked") as caught, folder.lock("me"):
        pass
    assert "in use" not in str(caught.value) and "a disk of this machine" in str(caught.value)
