# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Recordings from anywhere through the real commands, as far as they get without a simulator."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mereq_algo.recording import read_episodes, write_episode

from ..hostile import HOSTILE
from ..mereq_algo.recordings import crashes, episode, spins, with_info, write
from .conftest import REPOSITORY


@pytest.fixture
def recordings(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs recordings.py and returns its status and what it printed."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        path = REPOSITORY / "scripts" / "recordings.py"
        monkeypatch.syspath_prepend(path.parent)
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "250")
        status = 0
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as exit:
            status = int(exit.code or 0)
        output, errors = capsys.readouterr()
        assert "Traceback" not in output + errors
        return status, output, errors

    return run


def hostile_file(folder: Path, text: str) -> Path:
    name = text.replace("/", "|").replace("\ud800", "\udc80")
    file = folder / f"episode {name}.hdf5"
    everywhere = {"person": text, "note": text, "task": text, "recorded_at": text, "policy_sha256": text}
    names = {"feature_names": (text, "push"), "metric_names": ("success",)}
    write_episode(file, episode(**everywhere, **names, versions={text: text}))
    return file


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_names_from_outside_are_text_and_nothing_else(recordings, tmp_path, text):
    file = hostile_file(tmp_path, text)
    for command in ("list", "show"):
        status, output, errors = recordings(command, tmp_path)
        assert (status, errors) == (0, "")
        assert all(character == "\n" or character.isprintable() for character in output)
        if text.isprintable():
            assert text in output
    assert len(read_episodes(file)) == 1


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_errors_about_files_from_outside_are_one_line(recordings, tmp_path, text):
    file = hostile_file(tmp_path, text)
    file.write_bytes(b"no")
    status, _, errors = recordings("list", file)
    assert status == 2 and errors.startswith("error: recording is damaged") and errors.count("\n") == 1
    assert errors[:-1].isprintable()


def test_damaged_files_are_named_and_skipped(recordings, tmp_path):
    _, second, third = write(tmp_path, *(f"episode_{number}.hdf5" for number in range(3)))
    second.write_bytes(second.read_bytes()[:-100])
    crashes(third)
    status, output, errors = recordings("list", tmp_path)
    assert (status, output) == (2, "") and errors.count("\n") == 1
    assert str(second) in errors and str(third) in errors and "--skip-damaged" in errors
    status, output, errors = recordings("list", "--skip-damaged", tmp_path)
    assert status == 0 and "1 episodes" in output
    assert errors.startswith("note: left out: 2 of 3 recordings cannot be read") and errors.count("\n") == 1
    status, output, _ = recordings(
        "export", "--skip-damaged", "--format", "robomimic", "--output", tmp_path / "all.hdf5", tmp_path
    )
    assert status == 0 and "1 episodes, 6 steps" in output


def test_the_command_does_not_wait_for_a_file_that_keeps_hdf5_busy(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr("mereq_algo.recording.hdf5_reader.READ_LIMIT_S", 5.0)
    _, bad = write(tmp_path, "episode_1.hdf5", "episode_2.hdf5")
    spins(bad)
    status, _, errors = recordings("list", tmp_path)
    assert status == 2 and "HDF5 did not finish reading it in 5 s" in errors


def test_what_is_left_out_of_an_export_is_said(recordings, tmp_path):
    spoilt = episode()
    spoilt.transitions["action"][5] = float("nan")
    write_episode(tmp_path / "in" / "episode_1.hdf5", spoilt)
    status, output, errors = recordings(
        "export", "--format", "lerobot", "--output", tmp_path / "dataset", tmp_path / "in"
    )
    assert status == 0 and "1 episodes, 5 steps" in output
    assert "note: 1 of 6 recorded steps hold numbers that are not finite" in errors


@pytest.mark.parametrize("format", ["lerobot", "robomimic"])
def test_recordings_of_two_rates_are_not_exported(recordings, tmp_path, format):
    write(tmp_path / "in", "episode_1.hdf5", meaning=None)
    write(tmp_path / "in", "episode_2.hdf5", meaning=None, step_s=0.1)
    status, _, errors = recordings("export", "--format", format, "--output", tmp_path / "out", tmp_path / "in")
    assert status == 2 and "do not belong together: their rate is" in errors and errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("harm", "told"),
    [(lambda file: file.write_bytes(b"no"), "is damaged"), (crashes, "HDF5 ended"), (Path.unlink, "no recordings")],
)
def test_learning_refuses_damaged_recordings(refusal, tmp_path, harm, told):
    (file,) = write(tmp_path / "in", "episode_1.hdf5")
    harm(file)
    line = refusal(
        "train_mereq.py", "--task", "Franka-Erase", "--logs", tmp_path / "logs", "--from-recordings", file.parent
    )
    assert told in line and not (tmp_path / "logs").exists()


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("report.py", []),
        ("tools/summarize.py", []),
        ("export_policy.py", ["--output", "out", "--run"]),
        ("play.py", ["--task", "Franka-Erase", "--policy"]),
        ("train_mereq.py", ["--task", "Franka-Erase", "--resume"]),
    ],
)
@pytest.mark.parametrize("content", [b"", b"[]", b'{"task": 3}', b"\xff\xfe{", b"{" * 5_000, b"null"])
def test_damaged_runs_are_refused(refusal, tmp_path, monkeypatch, script, arguments, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "summary.json").write_bytes(content)
    assert "run folder is damaged" in refusal(script, *arguments, tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_export_into_the_folder_of_its_run_counts_once(recordings, tmp_path):
    write(tmp_path, "episode_001.hdf5", "episode_002.hdf5")
    for name in ("first.hdf5", "second.hdf5"):
        status, _, _ = recordings("export", "--format", "robomimic", "--output", tmp_path / name, tmp_path)
        assert status == 0
    assert [len(read_episodes(tmp_path / name)) for name in ("first.hdf5", "second.hdf5")] == [2, 2]
    status, output, errors = recordings("list", tmp_path)
    assert status == 0 and "2 episodes" in output and "4 episodes" not in output
    for name in ("first.hdf5", "second.hdf5"):
        assert f"note: left out: 2 of 2 episodes of {tmp_path / name} are copies" in errors
    with_info(success=False)(tmp_path / "episode_001.hdf5")
    status, _, errors = recordings("list", tmp_path)
    assert status == 2 and "recordings of the same episode differ" in errors and errors.count("\n") == 1
