# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What every task calls a success, by a script of its own. A new task needs one here.

The tests of single tasks go further: whether a script or a policy gets there, on real physics.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mereq_tasks.arguments import task_names

from .conftest import ScriptedEraser
from .gripper import Gripper
from .test_franka_push_bottle import ScriptedPusher

pytestmark = pytest.mark.sim


def erase(task, share: float) -> None:
    """That share of the ink is gone, under no force to speak of."""
    eraser = ScriptedEraser(task.env)
    eraser.start_over()
    eraser.marks.ink.fill_(1.0 - share)
    eraser.act((0.0, 0.0, 0.0))


def lay_down(task, away: float) -> None:
    """The parcel was carried and lies that far [m] from its spot."""
    gripper = Gripper(task)
    gripper.start_over()
    gripper.goal.command[:] = torch.tensor([0.45, 0.0])
    gripper.place_parcel(0.45 + away, 0.0)
    gripper.goal._way[:] = gripper.goal._way_in_air[:] = 0.1


def push(task, away: float) -> None:
    """The bottle stands that far [m] from its spot."""
    pusher = ScriptedPusher(task)
    pusher.start_over()
    pusher.goal.command[:] = torch.tensor([0.60, 0.1])
    pusher.place_bottle(0.60 + away, 0.1)


SCRIPTS: dict[str, tuple[Callable, float, float]] = {
    "Franka-Erase": (erase, 0.96, 0.94),
    "Franka-PickPlace": (lay_down, 0.029, 0.031),
    "Franka-PushBottle": (push, 0.029, 0.031),
}
"""By task, what brings all robots to the end of it, how far is enough, and how far is not."""


@pytest.mark.parametrize("task_id", task_names())
@pytest.mark.parametrize("is_enough", [True, False], ids=["done", "not quite"])
def test_the_success_metric_agrees_with_a_script(task_opener, task_id, is_enough):
    assert task_id in SCRIPTS, f"add a script to {__name__} that brings all robots to the end of {task_id}"
    script, enough, too_little = SCRIPTS[task_id]
    task = task_opener.open(task_id)
    script(task, enough if is_enough else too_little)
    manager = task.env.unwrapped.observation_manager
    success = manager.compute_group("metrics")[:, manager.active_terms["metrics"].index("success")]
    assert (success == float(is_enough)).all()
