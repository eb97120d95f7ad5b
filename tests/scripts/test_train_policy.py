# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Prior and expert of a task are trained, curriculum, guide and all: a few steps, on the real simulator."""

from __future__ import annotations

import pytest

from mereq_algo.networks import load_checkpoint

from .conftest import run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]

OPTIONS = ["--num_envs", "12", "--seed", "1", "--steps", "30", "--episodes", "4", "agent.sac.learning_starts=64"]


def test_prior_from_nothing_and_expert_from_the_prior(tmp_path):
    """Franka-PickPlace, since it has all that a task can have for its training."""
    files = {reward: tmp_path / f"{reward}.safetensors" for reward in ("prior", "expert")}
    starts = {"prior": [], "expert": ["--start", str(files["prior"])]}
    for reward, file in files.items():
        arguments = ["--reward", reward, "--output", str(file), *starts[reward], *OPTIONS]
        result = run_script("train_policy.py", *arguments, task="Franka-PickPlace")
        assert result.returncode == 0, result.stdout + result.stderr
        assert f"policy: {file}" in result.stdout.replace("\n", "")
        policy, _, info = load_checkpoint(file)
        assert info.task == "Franka-PickPlace" and info.extra["reward"] == reward
        assert info.extra["env_steps"] == 12 * 30 and info.extra["evaluation"]["episodes"] >= 4
        assert all(bool(weights.isfinite().all()) for weights in policy.parameters())
        card = file.with_suffix(".md").read_text()
        assert f"# Franka-PickPlace: the {reward}" in card and "| success rate |" in card


def test_training_without_an_update_writes_nothing(tmp_path):
    file = tmp_path / "prior.safetensors"
    result = run_script("train_policy.py", "--reward", "prior", "--output", str(file), "--steps", "2", *OPTIONS[:4])
    assert result.returncode == 2 and not file.exists()
    assert "nothing was learned: 24 steps are too few, learning starts at 2000" in result.stderr
