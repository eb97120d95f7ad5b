# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a camera sees of each task: neither dark nor burnt out, and what the task is about is in the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mereq_tasks.arguments import task_names
from mereq_tasks.launch import load_view, open_task, settings_of
from mereq_tasks.view import Stage, add_view

pytestmark = [pytest.mark.sim, pytest.mark.timeout(300)]

SIZE = (420, 470)

SEEN = {
    "Franka-Erase": lambda red, green, blue: (red > green + 80) & (red > blue + 80) & (green < 60),  # the ink
    "Franka-PickPlace": lambda red, green, blue: (red > green + 25) & (green > blue + 20),  # the parcel
    "Franka-PushBottle": lambda red, green, blue: (green > red + 25) & (green > blue),  # the bottle
}
"""The colour of what is moved or wiped, of red, green and blue."""


@pytest.mark.parametrize("task", sorted(task_names()))
def test_a_picture_shows_what_the_task_is_about(task, task_opener):
    assert task in SEEN, f"say in SEEN of {__name__} by which colour to know what {task} is about"
    task_opener.close()  # one simulation at a time
    settings = settings_of(task, "--device", "cpu", "--num_envs", "2")
    view = load_view(task)
    add_view(settings.env_cfg, view, *SIZE)
    with open_task(settings) as opened:
        stage = Stage(opened.env.unwrapped, view, *SIZE)
        torch.manual_seed(0)
        opened.env.reset()
        pictures = stage.show(stage.snapshot()).numpy()
    assert pictures.shape == (2, *SIZE[::-1], 3)
    for picture in pictures.astype(int):
        brightness = picture.mean(axis=2)
        assert 60 < brightness.mean() < 220, "neither night nor fog"
        assert (picture.min(axis=2) >= 250).mean() < 0.02, "burnt out"
        assert (brightness < 8).mean() < 0.05, "shadows with nothing in them"
        assert brightness.std() > 25, "there are edges"
        share = SEEN[task](*np.moveaxis(picture, 2, 0)).mean()
        assert 0.0005 < share < 0.35, f"{share:.2%} of the picture"
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() > 40, "two robots start in different states"
