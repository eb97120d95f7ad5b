# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Isaac Lab's own commands work on our tasks, through our launcher."""

import json
import subprocess
from pathlib import Path

import pytest

from mereq_tasks.arguments import task_names

LAUNCHER = Path(__file__).parents[1] / "isaaclab.sh"
TASKS = task_names()
TASK = ("--task", "Franka-Erase", "--num_envs", "4")

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]


@pytest.fixture
def isaaclab(tmp_path):
    """Runs a command in an empty folder, and returns what it printed."""

    def run(*arguments: str) -> str:
        result = subprocess.run(
            [str(LAUNCHER), *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False
        )
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
        return result.stdout

    return run


def test_list_envs_shows_the_tasks_and_their_learning_library(isaaclab):
    lines = isaaclab("list_envs").splitlines()
    for task in TASKS:
        (line,) = (line for line in lines if task in line)
        assert "rsl_rl" in line


@pytest.mark.parametrize("agent", ["zero_agent", "random_agent"])
def test_agents_without_a_policy_step_the_task(isaaclab, agent):
    isaaclab(agent, *TASK, "--max_steps", "5")


@pytest.mark.parametrize(
    ("task", "agent"),
    [*((task, "rsl_rl_cfg_entry_point") for task in TASKS), ("Franka-Erase", "rsl_rl_residual_cfg_entry_point")],
)
def test_rsl_rl_trains_on_the_task_and_saves_a_policy(isaaclab, tmp_path, task, agent):
    options = ("--task", task, "--num_envs", "4", "--max_iterations", "1", "--agent", agent)
    output = isaaclab("train", "--backend", "rsl_rl", *options)
    assert "Learning iteration 0/1" in output
    assert list((tmp_path / "logs" / "rsl_rl").glob("*/*/model_*.pt"))


@pytest.mark.slow
def test_benchmark_measures_the_task(isaaclab, tmp_path):
    isaaclab("benchmark", "runtime", *TASK, "--num_steps", "5", "--warmup_steps", "1", "--output_path", "out")
    (report,) = (tmp_path / "out").glob("*.json")
    assert "Franka-Erase" in json.dumps(json.loads(report.read_text()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--backend", "rsl_rl", *TASK, "--resume"), "unknown option --resume"),
        (("play", "--backend", "rsl_rl", *TASK, "--load_run", "x"), "unknown option --load_run"),
        (("zero_agent", "--task", "Franka-Erase", "--num_env", "4"), "not taken for --num_envs"),
        (("benchmark", "runtime", *TASK, "--num_step", "5"), "not taken for --num_steps"),
    ],
)
def test_what_isaac_lab_would_misread_is_refused(tmp_path, arguments, words):
    result = subprocess.run(
        [str(LAUNCHER), *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 2
    assert words in result.stderr.splitlines()[-1] and "Traceback" not in result.stderr
    assert not (tmp_path / "logs").exists(), "nothing was trained"


def test_rsl_rl_trains_no_prior_at_another_rate(tmp_path):
    options = ("--max_iterations", "1", "--agent", "rsl_rl_residual_cfg_entry_point", "env.decimation=10")
    command = [str(LAUNCHER), "train", "--backend", "rsl_rl", *TASK, *options]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False)
    assert result.returncode != 0
    assert "policy was trained at 20 Hz" in result.stderr and "would act at 10 Hz" in result.stderr
    assert not list(tmp_path.rglob("model_*.pt"))
