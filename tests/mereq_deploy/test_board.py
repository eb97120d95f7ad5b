# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Marks and boards that are not where the policy was trained with them."""

from __future__ import annotations

import numpy as np
import pytest

from mereq_deploy.action import ActionMapper
from mereq_deploy.contract import Contract
from mereq_deploy.observation import ObservationBuilder
from mereq_deploy.safety import SafetyLimits, Violation, check_way_home
from mereq_deploy.state import ArmState, MissingStateError, Scene
from mereq_deploy.tasks.board import PlaceError, check_home_above, check_marks, on_board, trained_height
from mereq_deploy.tasks.marks import Marks

from .conftest import term
from .test_strokes import LAW

DOWN = np.array([1.0, 0.0, 0.0, 0.0])


@pytest.fixture
def wiping(values) -> Contract:
    """As Franka-Erase: its board is 0.02 m high."""
    values["observation"][0]["parameters"]["origin"] = [0.5, 0.0, 0.02]
    values["observation"].append(term("mark_offsets", "mark_offsets", 8))
    values["parameters"] = {"marks": {**LAW, "stroke_length": [0.14, 0.22], "centre_y": [-0.1, 0.1]}}
    return Contract.from_dict(values)


def stroke(x: float = 0.5, y: float = 0.0) -> np.ndarray:
    """0.18 m along y."""
    return np.stack([np.full(4, x), y + np.linspace(-0.09, 0.09, 4)], axis=-1)


def test_marks_where_they_were_in_training_are_taken(wiping):
    check_marks(stroke(), wiping)
    check_marks(stroke(0.55, 0.1), wiping)


@pytest.mark.parametrize(
    ("position", "message"),
    [
        (1000.0 * stroke(), r"mark 1 is at \(500, -90\) m; the policy wipes .*: give metres"),
        (100.0 * stroke(), ": give metres"),
        (stroke()[:, ::-1], r"are x and y swapped\?"),
        (stroke(x=0.9), r"mark 1 is at \(0.9, -0.09\) m; the policy wipes x 0.39 to 0.61"),
        (stroke(y=0.4), r"mark 1 is at .* y -0.21 to 0.21 m"),
        (np.where(np.eye(4, 2) > 0, np.nan, stroke()), "mark 1 is .*, which is no place"),
        (np.where(np.eye(4, 2) > 0, np.inf, stroke()), "which is no place"),
        (np.tile([0.5, 0.0], (4, 1)), "make a stroke 0.000 m long"),
        (stroke()[[0, 3, 1, 2]], "make a stroke 0.36"),
        (stroke()[:3], "takes 4 marks of 2 numbers"),
        (np.zeros((4, 3)), "takes 4 marks of 2 numbers"),
    ],
)
def test_marks_that_cannot_be_are_refused_with_the_reason(wiping, position, message):
    with pytest.raises(PlaceError, match=message):
        check_marks(position, wiping)


@pytest.mark.parametrize("content", ["", "x,y\n0.5,0.0\n", "0.5;0.0\n", "0.5,0.0\n0.5\n", "\0\0", "0,5 0,0"])
def test_a_file_that_holds_no_marks_is_told(wiping, tmp_path, content):
    (tmp_path / "marks.csv").write_text(content)
    with pytest.raises(MissingStateError, match=r"marks cannot be read|takes 4 marks"):
        check_marks(Marks.load(tmp_path / "marks.csv"), wiping)


def test_a_higher_board_raises_what_is_seen_and_asked_for_by_as_much(wiping):
    higher = on_board(wiping, 0.05)
    assert trained_height(wiping) == 0.02 and trained_height(higher) == pytest.approx(0.05)
    position = np.array([0.52, 0.01, 0.1])
    seen, asked = [], []
    for contract, lift in ((wiping, 0.0), (higher, 0.03)):
        arm = ArmState(position + np.array([0.0, 0.0, lift]), np.zeros(3), DOWN, np.zeros(3))
        scene = Scene(arm, arm.tool_position, memory={"marks": Marks(stroke(), contract.parameters["marks"])})
        seen.append(ObservationBuilder(contract).build(scene))
        asked.append(
            ActionMapper(contract).target(np.array([0.2, 0.2, -9.0]), arm).position - np.array([0.0, 0.0, lift])
        )
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-6)
    np.testing.assert_allclose(asked[0], asked[1])


@pytest.mark.parametrize("height", [20.0, -0.5, float("nan")])
def test_a_board_that_is_elsewhere_is_refused(wiping, height):
    with pytest.raises(PlaceError, match=r"at most 0\.1 m more or less"):
        on_board(wiping, height)


@pytest.mark.parametrize(("height", "is_fine"), [(0.02, True), (0.045, True), (0.07, False), (0.12, False)])
def test_a_board_into_which_the_arm_would_go_home_is_refused(wiping, height, is_fine):
    """At home the tool is 0.07 m high."""
    if is_fine:
        check_home_above(on_board(wiping, height), height)
    else:
        with pytest.raises(PlaceError, match="put the board lower"):
            check_home_above(on_board(wiping, height), height)


def test_the_way_home_does_not_lead_through_the_board(wiping):
    """The tool is at 0.06 m and 0.07 m at both ends, and at 0.03 m in between."""
    start = wiping.home_joints + np.array([0.0, 0.38, 0.0, 0.45, 0.0, -1.17, 0.0])
    limits = SafetyLimits.load()
    check_way_home(start, wiping, limits, board_height=0.02)
    with pytest.raises(Violation, match=r"the tool would be at a height of 0\.0[34]\d m at \d+% of the way home"):
        check_way_home(start, wiping, limits, board_height=0.05)


def test_a_policy_without_a_board_has_none(values):
    contract = Contract.from_dict(values)
    assert trained_height(contract) is None
    with pytest.raises(PlaceError, match="knows of no board"):
        on_board(contract, 0.02)
