# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Shipped policies were trained on a CPU, and do their task on a GPU as well."""

from __future__ import annotations

import json

import pytest
import torch

from .conftest import run_script

pytestmark = [
    pytest.mark.sim,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


@pytest.mark.parametrize(
    ("task", "who", "success"),
    [
        ("Franka-Erase", "expert", 0.55),  # 74 % on a CPU, the median of five seeds
        ("Franka-PickPlace", "prior", 0.9),  # 99.5 %
        ("Franka-PickPlace", "expert", 0.95),  # 100 %
        ("Franka-PushBottle", "prior", 0.85),  # 97 %
        ("Franka-PushBottle", "expert", 0.95),  # 100 %
    ],
)
def test_shipped_policies_act_on_a_gpu(tmp_path, task, who, success):
    """128 episodes: four standard errors and more below what they do on a CPU."""
    figures = tmp_path / "figures.json"
    options = ("--policy", who, "--episodes", "128", "--num_envs", "128", "--device", "cuda", "--json", str(figures))
    result = run_script("play.py", *options, task=task)
    assert result.returncode == 0, result.stderr
    found = json.loads(figures.read_text())
    assert found["num_broken"] == 0 and found["success_rate"]["mean"] >= success
