# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a user can get wrong ends in one line that helps, with status 2, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from mereq_tasks.shipped import shipped_policy

from .conftest import REPOSITORY, one_line

TASK = ("--task", "Franka-Erase")

pytestmark = [pytest.mark.sim, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*TASK, "--num_envs", "2"), ("num_envs is 2 and num_supervised 1",)),
        ((*TASK, "env.preference.weights.ink_remvoed=1"), ("unknown feature 'ink_remvoed'", "ink_removed?")),
    ],
    ids=lambda value: value[-1] if value[0] == "--task" else "",
)
def test_what_only_the_simulator_shows_is_refused_as_well(arguments, told, tmp_path):
    """In a process of its own: a simulator is opened."""
    command = [sys.executable, str(REPOSITORY / "scripts" / "train_mereq.py"), *arguments, "--logs", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 2, result.stdout + result.stderr
    line = one_line(result.stdout, result.stderr)
    for part in told:
        assert part in line
    assert not list(tmp_path.rglob("summary.json")) and not list(tmp_path.rglob("params"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--task", "Franka-Erse"), ("unknown task 'Franka-Erse'", "did you mean Franka-Erase?")),
        ((*TASK, "--num_envs", "0"), ("num_envs is 0", "at least 1")),
        ((*TASK, "env.scene.num_envs=0"), ("num_envs is 0", "at least 1")),
        ((*TASK, "--device", "cuda:99"), ("'cuda:99' is not there", "this machine has cpu")),
        ((*TASK, "--device", "tpu"), ("unknown device 'tpu'", "cpu, cuda or cuda:N")),
        ((*TASK, "--seed", "-1"), ("seed is -1", "between 0 and")),
        ((*TASK, "--num_env", "8"), ("unknown argument '--num_env'", "did you mean --num_envs?")),
        ((*TASK, "--prior", "piror"), ("unknown policy 'piror'", "did you mean prior?")),
        ((*TASK, "--prior", "/nowhere/policy.safetensors"), ("/nowhere/policy.safetensors",)),
        ((*TASK, "agent.max_round=2"), ("max_round",)),
        ((*TASK, "agent.max_rounds=many"), ("max_rounds", "many")),
        ((*TASK, "agent.person.rule=mood"), ("unknown person.rule 'mood'", "advantage_gap or action_distance")),
        ((*TASK, "env.episode_length=3"), ("episode_length", "did you mean episode_length_s?")),
        pytest.param(
            (*TASK, "physics=isaacsim_physx"),
            ("PhysX needs Isaac Sim", "physics=newton_mjwarp"),
            marks=pytest.mark.skipif(find_spec("isaacsim") is not None, reason="Isaac Sim is installed"),
        ),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) and value[0].startswith("--") else "",
)
def test_one_line_says_what_is_wrong_and_what_is_allowed(refusal, arguments, told, tmp_path):
    line = refusal("train_mereq.py", *arguments, "--logs", tmp_path / "logs")
    for part in told:
        assert part in line
    assert not list(tmp_path.rglob("summary.json")) and not list(tmp_path.rglob("params"))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"3", b"a: !!bool x", b"a: !!timestamp x", b"\xff", b"{", None], ids=repr
)
def test_settings_of_a_task_that_cannot_be_read_are_named(refusal, tmp_path, monkeypatch, content):
    import gymnasium as gym

    file = tmp_path / "mereq.yaml"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setitem(gym.spec("Franka-Erase").kwargs, "mereq_cfg_entry_point", f"tests.scripts:{file}")
    line = refusal("train_mereq.py", *TASK, "--logs", tmp_path / "logs")
    assert "settings of the task cannot be read" in line and str(file) in line
    assert not (tmp_path / "logs").exists()


def test_log_folder_that_cannot_be_written_is_refused(refusal, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    line = refusal("train_mereq.py", *TASK, "--logs", tmp_path / "file" / "logs")
    assert "log folder cannot be written" in line and "is not a folder" in line


@pytest.mark.parametrize("content", [b"", b"\x02" + bytes(7) + b"{}", b"not a policy at all"])
def test_damaged_policy_is_refused(refusal, tmp_path, content):
    (tmp_path / "bad.safetensors").write_bytes(content)
    assert "bad.safetensors" in refusal("play.py", *TASK, "--policy", tmp_path / "bad.safetensors")


def test_cut_off_policy_is_refused(refusal, tmp_path):
    whole = shipped_policy("Franka-Erase", "prior").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "cut.safetensors" in refusal("play.py", *TASK, "--policy", tmp_path / "cut.safetensors")


@pytest.mark.parametrize(("who", "told"), [("prior", "--reward prior"), ("expert", "--reward expert --start prior")])
def test_a_task_without_policies_says_how_to_train_them(refusal, tmp_path, monkeypatch, who, told):
    monkeypatch.setattr("mereq_tasks.shipped.POLICIES", tmp_path)
    line = refusal("play.py", *TASK, "--policy", who)
    assert f"{who}.safetensors; train one with scripts/train_policy.py --task Franka-Erase {told}" in line


@pytest.mark.parametrize(("script", "option"), [("play.py", "--policy"), ("train_mereq.py", "--resume")])
def test_run_of_another_task_is_refused(refusal, tmp_path, script, option):
    run = tmp_path / "run"
    run.mkdir()
    (run / "summary.json").write_text(json.dumps({"task": "Other"}))
    line = refusal(script, *TASK, option, run)
    assert "is of task Other, not Franka-Erase" in line
    assert [path.name for path in run.iterdir()] == ["summary.json"]


def test_folder_that_is_no_run_is_refused(refusal, tmp_path):
    assert str(tmp_path) in refusal("train_mereq.py", *TASK, "--resume", tmp_path)


def test_evaluation_of_one_episode_is_refused(refusal):
    assert "episodes is 1" in refusal("play.py", *TASK, "--policy", "prior", "--episodes", "1")


def test_training_for_no_step_is_refused(refusal, tmp_path):
    line = refusal(
        "train_policy.py", *TASK, "--reward", "prior", "--steps", "0", "--output", tmp_path / "p.safetensors"
    )
    assert "steps is 0" in line and not list(tmp_path.iterdir())
