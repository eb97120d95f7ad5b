# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""An arm that goes on wiping while somebody draws new strokes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mereq_deploy.cli import main
from mereq_deploy.contract import Contract
from mereq_deploy.runtime import LogReader
from mereq_deploy.tasks.marks import Marks
from mereq_deploy.tasks.strokes import Strokes

from .conftest import term

LAW = {
    **{"num_marks": 4, "stroke_length": [0.1, 0.1], "stroke_heading": [0.0, 0.0], "stroke_curvature": [0.0, 0.0]},
    **{"centre_x": [0.5, 0.5], "centre_y": [-0.1, 0.1], "footprint": [0.05, 0.05], "touch_force": 0.5},
    **{"erase_force": 4.0, "full_erase_force": 8.0, "wear_rate": 10.0, "clean_ink": 0.1, "force_limit": 15.0},
}


def stroke(ink: float, steps: int, over: int) -> Marks:
    marks = Marks(np.zeros((4, 2)), LAW)
    marks.ink[:] = ink
    marks.steps, marks.steps_over_limit = steps, over
    return marks


def test_every_stroke_counts_alike_and_every_step_once():
    """Of 2 strokes one is gone and half of the other; 3 of 10 and 0 of 20 steps were over the limit."""
    strokes = Strokes(stroke(0.0, 10, 3), lambda: stroke(0.5, 20, 0), steps_each=10)
    drawn = [step for step in range(20) if strokes.next_at(step) is not None]
    assert drawn == [10] and strokes.num_strokes == 2
    assert strokes.ink_removed == pytest.approx(0.75) and strokes.over_force_limit == pytest.approx(0.1)


def test_marks_of_a_file_stay():
    strokes = Strokes(stroke(1.0, 0, 0))
    assert all(strokes.next_at(step) is None for step in range(100))


@pytest.mark.timeout(120)
@pytest.mark.realtime
def test_new_strokes_are_drawn_logged_and_replayed(arm_export: Path, tmp_path, capsys):
    contract = Contract.load(arm_export)
    contract.parameters["marks"] = LAW
    kinds = {"normal_force": 1, "ink_left": 1, "untouched_left": 1}
    contract.observation[1:] = [type(contract.observation[0])(**term(kind, kind, 1)) for kind in kinds]
    for entry in contract.observation:
        entry.low[:], entry.high[:] = [-99.0] * entry.width, [99.0] * entry.width
    object.__setattr__(contract, "episode_length_s", 0.5)
    contract.save(arm_export)

    log_file = tmp_path / "log.jsonl"
    arguments = ["--policy", str(arm_export)]
    assert main([*arguments, "--robot", "simulated", "--seconds", "1.4", "--log", str(log_file)]) == 0
    assert "strokes                     3" in capsys.readouterr().out
    drawn = [line for line in LogReader(log_file).lines() if line["kind"] == "marks"]
    assert [line["step"] for line in drawn] == [10, 20] and drawn[0]["position"] != drawn[1]["position"]
    assert main([*arguments, "--replay", str(log_file)]) == 0
