# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Prior and expert as they come with a task, side by side on the real environment."""

from __future__ import annotations

import torch

from mereq_algo.networks import load_checkpoint
from mereq_algo.records import TaskSpec
from mereq_algo.records.evaluation_table import Evaluation
from mereq_algo.runner.evaluation import evaluate
from mereq_tasks.shipped import shipped_policy


def evaluate_shipped(task, num_episodes: int) -> dict[str, Evaluation]:
    """Figures of each over a number of episodes, exploration included; their files are small enough for a clone."""
    files = {name: shipped_policy(task.names["task"], name) for name in ("prior", "expert")}
    assert all(file.stat().st_size < 2e6 for file in files.values())
    torch.manual_seed(0)
    task.env.reset()
    policies = {name: load_checkpoint(file)[0] for name, file in files.items()}
    return evaluate(task.env, policies, TaskSpec(**task.names), num_episodes, torch.Generator().manual_seed(0))
