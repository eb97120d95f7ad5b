# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Run folders on the real program: locked, resumed, given more, killed at the start, and on a disk that fills up."""

from __future__ import annotations

import dataclasses
import json
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import yaml

from mereq_algo.recording import find_recordings, read_episodes, write_episode
from mereq_algo.records import RunFolder

from .conftest import OPTIONS, TINY, command, one_line, run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]

TASK = ("--task", "Franka-Erase")


def summary_of(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def test_two_at_once_are_refused_and_told_who_is_there(refusal, run_folder):
    before = {file: file.stat().st_mtime_ns for file in run_folder.rglob("*") if file.name != "run.lock"}
    with RunFolder.open(run_folder).lock("./isaaclab.sh -p scripts/train_mereq.py --task Franka-Erase"):
        for line in (
            refusal("train_mereq.py", *TASK, "--resume", run_folder, "agent.max_rounds=9"),
            refusal("report.py", run_folder, "--video"),
        ):
            assert "run folder is in use by process" in line and "scripts/train_mereq.py --task Franka-Erase" in line
    assert before == {file: file.stat().st_mtime_ns for file in run_folder.rglob("*") if file.name != "run.lock"}


def test_a_finished_run_says_so_and_how_to_give_it_more(refusal, run_folder, tmp_path):
    line = refusal("train_mereq.py", *TASK, "--resume", run_folder)
    assert "run is finished: budget_spent after 2 rounds" in line and "agent.max_rounds=6" in line
    folder = tmp_path / "converged"
    shutil.copytree(run_folder, folder)
    RunFolder(folder).write_summary(summary_of(folder) | {"status": "converged"})
    line = refusal("train_mereq.py", *TASK, "--resume", folder, "agent.max_rounds=9")
    assert "run is finished: converged" in line and f"--prior {folder}" in line


def test_a_run_that_ended_before_it_began_says_so(refusal, tmp_path):
    folder = RunFolder.create(tmp_path, "Franka-Erase", "test")
    with folder.lock("me"):
        pass
    line = refusal("train_mereq.py", *TASK, "--resume", folder.path)
    assert "ended before it had written how it was started" in line and str(folder.path) in line


@pytest.mark.parametrize("name", ["summary.json", "params/arguments.yaml", "params/env.yaml"])
@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"\xff\xfe\x00", b"{", b"- a: [", b"7"])
def test_damaged_files_of_a_run_are_one_line(refusal, run_folder, tmp_path, name, content):
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder, ignore=shutil.ignore_patterns("video", "recordings", "state.pt", "*.html"))
    (folder / "checkpoints" / "policy.safetensors").unlink()
    (folder / name).write_bytes(content)
    line = refusal("train_mereq.py", *TASK, "--resume", folder, "agent.max_rounds=9")
    assert str(folder) in line and ("damaged" in line or "is of task None" in line)


def test_more_rounds_for_a_run_whose_prior_is_gone(run_folder, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    arguments = RunFolder(folder).read_params("arguments")
    (folder / "params" / "arguments.yaml").write_text(yaml.safe_dump(arguments | {"prior": "/nowhere/prior"}))
    result = run_script("train_mereq.py", "--resume", str(folder), "--no-video", "agent.max_rounds=3")
    assert result.returncode == 0, result.stderr
    before, after = summary_of(run_folder), summary_of(folder)
    assert (after["status"], after["rounds"], after["rounds_tried"]) == ("budget_spent", 3, 2)
    assert after["expert_samples"][:2] == before["expert_samples"]
    assert "agent.max_rounds=3" in RunFolder(folder).read_settings()


def test_a_run_killed_in_its_first_round_goes_on(tmp_path):
    with subprocess.Popen(
        command("train_mereq.py", *OPTIONS, "--logs", str(tmp_path), *TINY),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and not list(tmp_path.glob("*/*/summary.json")):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    (folder,) = (tmp_path / "Franka-Erase").iterdir()
    assert summary_of(folder)["rounds"] == 0
    result = run_script("train_mereq.py", "--resume", str(folder), "--no-video", "agent.max_rounds=1")
    assert result.returncode == 0, result.stderr
    assert (summary_of(folder)["status"], summary_of(folder)["rounds"]) == ("budget_spent", 1)
    assert "scripts/train_mereq.py" in summary_of(folder)["command"] and "--resume" not in summary_of(folder)["command"]


@pytest.mark.parametrize("small_disk", [10], indirect=True)
def test_a_full_disk_ends_a_run_in_one_line_and_keeps_its_last_round(small_disk):
    """Two copies of a policy (1 MB each), policy and state of the first round (5 MB): the second state is too much."""
    result = run_script("train_mereq.py", *OPTIONS, "--logs", str(small_disk), "--no-video", *TINY)
    assert result.returncode == 2
    line = one_line(result.stdout, result.stderr)
    (folder,) = (small_disk / "Franka-Erase").iterdir()
    assert line == f"error: the disk is full: {folder}/checkpoints/state.pt is not written"
    assert summary_of(folder)["rounds"] == 1 and RunFolder(folder).read_state()["next_round"] == 1
    kept = [episode.info.round for file in find_recordings([folder]) for episode in read_episodes(file)]
    assert kept.count(0) >= 4 and kept.count(1) >= 4
    assert not list(folder.rglob(".*"))


def test_a_limit_of_the_process_ends_a_run_in_one_line(tmp_path):
    """What can be tried where no file system may be mounted: the first state is larger than the process may write."""
    result = subprocess.run(
        command("train_mereq.py", *OPTIONS, "--logs", str(tmp_path), "--no-video", *TINY),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)),
    )
    (folder,) = (tmp_path / "Franka-Erase").iterdir()
    told = f"error: the file would be larger than this process may write: {folder}/checkpoints/state.pt"
    assert result.returncode == 2 and told in one_line(result.stdout, result.stderr)
    assert (summary_of(folder)["status"], summary_of(folder)["rounds"]) == ("failed", 0)


def test_cloning_without_an_intervention_is_no_success(run_folder, tmp_path):
    """The episodes are those of a run, as if the person had never acted."""
    for number, file in enumerate(find_recordings([run_folder / "recordings"])):
        (episode,) = read_episodes(file)
        untouched = dataclasses.replace(episode, in_control=torch.zeros_like(episode.in_control))
        write_episode(tmp_path / "recordings" / f"episode_{number}.hdf5", untouched)
    settings = [setting for setting in TINY if setting.startswith(("env.", "agent.evaluation"))]
    arguments = ["--from-recordings", str(tmp_path / "recordings"), "--logs", str(tmp_path / "logs"), "--no-video"]
    result = run_script("train_mereq.py", *OPTIONS, *arguments, "agent.method=hg_dagger_ft", *settings)
    assert result.returncode == 2
    assert "the person never took over" in one_line(result.stdout, result.stderr)
    (folder,) = (tmp_path / "logs" / "Franka-Erase").iterdir()
    assert summary_of(folder)["status"] == "nothing_learned"
