# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a run records: others can read it, the commands show it, and one can learn from it without a person."""

from __future__ import annotations

import json

import pytest
import torch

from .conftest import OPTIONS, TINY, run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]


def _script(*arguments: str):
    return run_script("recordings.py", *arguments, task=None, COLUMNS="160")


def test_the_recorder_of_isaac_lab_reads_an_episode(run_folder):
    from isaaclab.utils.datasets import HDF5DatasetFileHandler

    summary = json.loads((run_folder / "summary.json").read_text())
    reader = HDF5DatasetFileHandler()
    reader.open(str(run_folder / "recordings" / "round_01" / "episode_001.hdf5"))
    try:
        assert reader.get_env_name() == "Franka-Erase" and list(reader.get_episode_names()) == ["demo_0"]
        episode = reader.load_episode("demo_0", "cpu")
        assert episode is not None and episode.seed == summary["seed"]
        data = episode.data
        assert len(data["actions"]) == len(data["obs"]["policy"]) == 30  # 1.5 s
        terms = torch.stack(list(data["reward_terms"].values()))
        torch.testing.assert_close(terms.sum(dim=0), data["rewards"], rtol=1e-4, atol=1e-6)
        assert set(data["metrics"]) >= {"success", "ink_removed"}
    finally:
        reader.close()


def test_the_commands_show_what_is_there(run_folder, tmp_path):
    summary = json.loads((run_folder / "summary.json").read_text())
    listed = _script("list", str(run_folder))
    assert listed.returncode == 0, listed.stderr
    last = next(line for line in listed.stdout.splitlines() if "episodes" in line and ":" in line)
    assert f": {summary['expert_samples'][-1]}" in last

    shown = _script("show", str(run_folder / "recordings" / "round_02" / "episode_001.hdf5"))
    assert shown.returncode == 0, shown.stderr
    for word in ("synthetic", "seed 1, round 2, robot 1", "feature normal_force", "metric ink_removed", "isaaclab 3"):
        assert word in shown.stdout

    dataset = tmp_path / "dataset"
    exported = _script("export", "--format", "lerobot", "--output", str(dataset), str(run_folder))
    assert exported.returncode == 0, exported.stderr
    info = json.loads((dataset / "meta" / "info.json").read_text())
    assert info["fps"] == 20 and info["features"]["task_features"]["names"] == list(summary["theta"])
    again = _script("export", "--format", "lerobot", "--output", str(dataset), str(run_folder))
    assert again.returncode == 2 and "there is something already" in again.stderr


def test_one_learns_from_recordings_without_a_person(run_folder, tmp_path):
    options = [*OPTIONS, "--logs", str(tmp_path), "--no-video", "--from-recordings", str(run_folder / "recordings")]
    result = run_script("train_mereq.py", *options, *TINY)
    assert result.returncode == 0, result.stderr
    (folder,) = (tmp_path / "Franka-Erase").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    watched = json.loads((run_folder / "summary.json").read_text())
    assert summary["status"] == "learned" and summary["expert_samples"] == watched["expert_samples"][-1:]
    assert (folder / "checkpoints" / "policy.safetensors").is_file() and (folder / "report.html").is_file()

    resumed = run_script("train_mereq.py", "--resume", str(folder))
    assert resumed.returncode == 2 and "nothing to resume" in resumed.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("recordings.py", ["list", "/nowhere"], "recording not found: /nowhere"),
        ("train_mereq.py", ["--from-recordings", "README.md"], "recording is damaged: README.md"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(script, arguments, message):
    result = run_script(script, *arguments, task="Franka-Erase" if script == "train_mereq.py" else None)
    assert result.returncode == 2 and message in result.stderr and "Traceback" not in result.stderr


def test_recordings_of_another_rate_are_not_learned_from(run_folder, tmp_path):
    options = [*OPTIONS, "--logs", str(tmp_path), "--no-video", "--from-recordings", str(run_folder / "recordings")]
    result = run_script("train_mereq.py", *options, *TINY, "env.decimation=10")
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "recorded at 20 Hz, here 10 Hz" in result.stderr and "env.decimation=5" in result.stderr
    assert not list(tmp_path.rglob("summary.json"))
