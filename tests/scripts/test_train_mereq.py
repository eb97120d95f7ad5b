# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The main job, end to end on the real simulator: tiny, but every part of it is the real one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mereq_algo.runner import TIMES

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = ["agent.max_rounds=2", "agent.inner.max_steps=20", "agent.inner.min_steps=10", "agent.evaluation_episodes=4"]
TINY += ["agent.num_supervised=4", "agent.sac.learning_starts=64", "env.episode_length_s=1.5"]
OPTIONS = ["--num_envs", "12", "--seed", "1"]

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]


def _run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "scripts" / script), "--task", "Franka-Erase", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


def _train(logs: Path) -> Path:
    result = _run("train_mereq.py", *OPTIONS, "--logs", str(logs), *TINY)
    assert result.returncode == 0, result.stderr
    (folder,) = (logs / "Franka-Erase").iterdir()
    return folder


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    return _train(tmp_path_factory.mktemp("logs"))


def test_a_run_leaves_what_the_design_promises(run_folder):
    summary = json.loads((run_folder / "summary.json").read_text())
    assert summary["task"] == "Franka-Erase" and summary["method"] == "mereq" and summary["status"] == "budget_spent"
    assert summary["rounds"] == len(summary["intervention_rate"]) == len(summary["expert_samples"]) == 2
    assert set(summary["theta"]) == set(summary["feature_expectation"]["target"])
    assert set(summary["evaluation"]) == {"prior", "aligned", "expert"}
    assert summary["env_steps"] > 0 and 0 < summary["sim_time_s"] < summary["wall_time_s"]
    for file in ("params/env.yaml", "params/agent.yaml", "checkpoints/policy.safetensors", "checkpoints/state.pt"):
        assert (run_folder / file).is_file(), file
    assert list(run_folder.glob("events.out.tfevents.*"))


def _figures(folder: Path) -> dict:
    summary = json.loads((folder / "summary.json").read_text())
    return {name: value for name, value in summary.items() if name not in {*TIMES, "command"}}


def test_a_run_that_was_interrupted_goes_on_to_the_same_end(run_folder, tmp_path):
    """Ctrl-C in the second round; then nothing but the folder is named, since a run keeps its seed and settings."""
    command = [sys.executable, str(REPOSITORY / "scripts" / "train_mereq.py"), "--task", "Franka-Erase"]
    process = subprocess.Popen(
        [*command, *OPTIONS, "--logs", str(tmp_path), *TINY], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while process.poll() is None and not list(tmp_path.glob("*/*/checkpoints/state.pt")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "interrupted" in errors and "Traceback" not in errors
    (folder,) = (tmp_path / "Franka-Erase").iterdir()
    assert (_figures(folder)["status"], _figures(folder)["rounds"]) == ("interrupted", 1)

    changed = _run("train_mereq.py", "--resume", str(folder), "agent.max_rounds=5")
    assert changed.returncode == 2 and "keeps its settings: agent.max_rounds=5 is not among them" in changed.stderr
    changed = _run("train_mereq.py", "--resume", str(folder), "--seed", "2")
    assert changed.returncode == 2 and "keeps its seed: it is 1, not 2" in changed.stderr

    resumed = _run("train_mereq.py", "--resume", str(folder))
    assert resumed.returncode == 0, resumed.stderr
    assert _figures(folder) == _figures(run_folder)


def test_play_evaluates_a_run(run_folder, tmp_path):
    figures = tmp_path / "figures.json"
    result = _run(
        "play.py", "--policy", str(run_folder), "--episodes", "4", "--json", str(figures), "env.episode_length_s=1.5"
    )
    assert result.returncode == 0, result.stderr
    promised = {
        "task",
        "policy",
        "episodes",
        "seed",
        "success_rate",
        "return_prior_reward",
        "return_expert_reward",
        "features",
        "ink_removed",
        "over_force_limit",
    }
    assert promised <= set(json.loads(figures.read_text()))
    assert "ink removed" in result.stdout


def test_a_run_of_another_task_is_refused(run_folder, tmp_path):
    summary = json.loads((run_folder / "summary.json").read_text())
    (tmp_path / "summary.json").write_text(json.dumps({**summary, "task": "Other"}))
    result = _run("play.py", "--policy", str(tmp_path))
    assert result.returncode == 2
    assert "is of task Other, not Franka-Erase" in result.stderr and "Traceback" not in result.stderr
