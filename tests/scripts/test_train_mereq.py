# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The main job, end to end on the real simulator: tiny, but every part of it is the real one."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mereq_algo.records import TIMES
from mereq_tasks.arguments import task_names

from .conftest import OPTIONS, TINY, command, run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]


def test_a_run_leaves_what_the_design_promises(run_folder):
    summary = json.loads((run_folder / "summary.json").read_text())
    assert summary["task"] == "Franka-Erase" and summary["method"] == "mereq" and summary["status"] == "budget_spent"
    assert summary["rounds"] == len(summary["intervention_rate"]) == len(summary["expert_samples"]) == 2
    assert set(summary["theta"]) == set(summary["feature_expectation"]["target"])
    assert set(summary["evaluation"]) == {"prior", "aligned", "expert"}
    assert summary["command"].startswith("./isaaclab.sh -p scripts/train_mereq.py --task Franka-Erase")
    assert summary["env_steps"] > 0 and 0 < summary["sim_time_s"] < summary["wall_time_s"]
    files = ("params/env.yaml", "params/agent.yaml", "checkpoints/policy.safetensors", "checkpoints/state.pt")
    for file in (*files, "report.html", "video/comparison.mp4"):
        assert (run_folder / file).is_file(), file
    assert list(run_folder.glob("events.out.tfevents.*"))


@pytest.mark.parametrize("task", [name for name in task_names() if name != "Franka-Erase"])
def test_the_main_job_runs_on_every_other_task_as_it_is_configured(task, tmp_path):
    result = run_script("train_mereq.py", *OPTIONS, "--logs", str(tmp_path), "--no-video", *TINY, task=task)
    assert result.returncode == 0, result.stderr
    (folder,) = (tmp_path / task).iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] in ("budget_spent", "converged") and summary["rounds"] >= 1
    assert set(summary["evaluation"]) == {"prior", "aligned", "expert"}
    assert summary["intervention_rate"][0] > 0.0, "nobody took over: set the thresholds of agents/mereq.yaml"
    assert len(summary["theta_history"]) == summary["rounds"] - 1 == len(summary["gradient_norm"])
    assert (folder / "checkpoints" / "policy.safetensors").is_file() and (folder / "report.html").is_file()


def test_tensorboard_has_curves_settings_results_and_the_film(run_folder):
    events = EventAccumulator(str(run_folder)).Reload()
    groups = {tag.split("/")[0] for tag in events.Tags()["scalars"]}
    assert groups >= {"intervention", "rollout", "irl", "theta", "learner_features", "losses", "speed", "result"}
    summary = json.loads((run_folder / "summary.json").read_text())
    rates = [event.value for event in events.Scalars("intervention/rate")]
    assert rates == pytest.approx(summary["intervention_rate"])
    assert [event.step for event in events.Scalars("intervention/rate")] == summary["expert_samples"]
    assert events.Scalars("result/expert_samples")[0].value == summary["expert_samples"][-1]
    assert "_hparams_/session_start_info" in events.summary_metadata
    (film,) = events.Images("film/prior_aligned_expert")
    with Image.open(io.BytesIO(film.encoded_image_string)) as picture:
        assert picture.format == "GIF" and picture.n_frames > 5


def _figures(folder: Path) -> dict:
    summary = json.loads((folder / "summary.json").read_text())
    return {name: value for name, value in summary.items() if name not in {*TIMES, "command"}}


def test_a_run_that_was_interrupted_goes_on_to_the_same_end(run_folder, tmp_path):
    """Ctrl-C in the second round; then nothing but the folder is named, since a run keeps its seed and settings."""
    process = subprocess.Popen(
        command("train_mereq.py", *OPTIONS, "--logs", str(tmp_path), *TINY),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not list(tmp_path.glob("*/*/checkpoints/state.pt")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "interrupted" in errors and "Traceback" not in errors
    (folder,) = (tmp_path / "Franka-Erase").iterdir()
    assert (_figures(folder)["status"], _figures(folder)["rounds"]) == ("interrupted", 1)

    changed = run_script("train_mereq.py", "--resume", str(folder), "agent.num_supervised=5")
    assert changed.returncode == 2 and "keeps its settings: agent.num_supervised=5 is not among them" in changed.stderr
    changed = run_script("train_mereq.py", "--resume", str(folder), "--seed", "2")
    assert changed.returncode == 2 and "keeps its seed: it is 1, not 2" in changed.stderr

    resumed = run_script("train_mereq.py", "--resume", str(folder), IMAGEIO_FFMPEG_EXE="/nowhere/ffmpeg")
    assert resumed.returncode == 0, resumed.stderr
    assert _figures(folder) == _figures(run_folder)

    # No ffmpeg: one line tells, the run and its report are there, and nothing of a video.
    (line,) = (line for line in resumed.stderr.splitlines() if line.startswith("error: "))
    assert "ffmpeg does not start: /nowhere/ffmpeg" in line and "Traceback" not in resumed.stderr
    assert (folder / "report.html").is_file() and not list(folder.rglob("*.mp4"))


def test_play_evaluates_a_run(run_folder, tmp_path):
    figures = tmp_path / "figures.json"
    result = run_script(
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
    result = run_script("play.py", "--policy", str(tmp_path))
    assert result.returncode == 2
    assert "is of task Other, not Franka-Erase" in result.stderr and "Traceback" not in result.stderr
