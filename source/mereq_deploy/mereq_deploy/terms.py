# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Each kind of observation term, computed from what was measured; the names are those of the simulated tasks.

A kind takes the scene and the term's parameters, and returns a vector in the unit that the contract names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .state import MissingStateError, ObjectState, Scene, rotate
from .tasks.marks import Marks

Compute = Callable[[Scene, dict[str, Any]], np.ndarray]

Unit = str | list[str]

FROM_TOOL, NEAREST = "base, from the tool", ["m", "m", "1"]


@dataclass(frozen=True)
class Kind:
    """What a term of this kind is. A contract with another unit, frame or width means something else by the name."""

    compute: Compute
    unit: Unit
    frame: str
    width: int | None
    """None: as many as there are marks, or twice as many."""

    parameters: tuple[str, ...] = ()
    """Names of the constants that it is computed with."""

    needs: str = "arm"
    """Whose state it is computed from: the ``arm``, its ``gripper``, the ``marks`` or the ``object``."""


def _object(scene: Scene) -> ObjectState:
    if scene.object is None:
        raise MissingStateError("the policy needs to know where the object is, and nothing reports it")
    return scene.object


def _goal(scene: Scene) -> np.ndarray:
    if scene.goal is None:
        raise MissingStateError("the policy needs to know where the object is to go")
    return scene.goal


def _marks(scene: Scene) -> Marks:
    if "marks" not in scene.memory:
        raise MissingStateError("the policy needs to know where the marks are")
    return scene.memory["marks"]


def _parcel_axis(scene: Scene) -> np.ndarray:
    """Direction of the object's length; of its two ends the one in front of the hand's x axis."""
    hand = rotate(scene.arm.hand_orientation, np.array([1.0, 0.0, 0.0]))
    length = rotate(_object(scene).orientation, np.array([1.0, 0.0, 0.0]))
    return -length if hand @ length < 0.0 else length


def _along_length(scene: Scene) -> float:
    return float((scene.arm.tool_position - _object(scene).position) @ _parcel_axis(scene))


def _grasp_point_from_tool(scene: Scene, parameters: dict[str, Any]) -> np.ndarray:
    if scene.grasp_proposal is None:
        raise MissingStateError("the policy needs to know where to grip the object, and nothing proposes it")
    thing = _object(scene)
    axis = rotate(thing.orientation, np.array([1.0, 0.0, 0.0]))
    return thing.position + scene.grasp_proposal * axis - scene.arm.tool_position


KINDS: dict[str, Kind] = {
    "tool_position": Kind(
        lambda scene, p: scene.arm.tool_position - np.asarray(p["origin"]), "m", "base", 3, parameters=("origin",)
    ),
    "tool_velocity": Kind(lambda scene, p: scene.arm.tool_velocity, "m/s", "base", 3),
    "height_drift": Kind(
        lambda scene, p: scene.arm.tool_position[2:] - scene.start_position[2:], "m", "base, from the start", 1
    ),
    "push_force": Kind(lambda scene, p: np.linalg.norm(scene.arm.force, keepdims=True), "N", "none", 1),
    "hand_axis": Kind(
        lambda scene, p: rotate(scene.arm.hand_orientation, np.array([1.0, 0.0, 0.0]))[:2], "1", "base", 2
    ),
    "finger_opening": Kind(lambda scene, p: np.array([scene.arm.finger_opening]), "m", "none", 1, needs="gripper"),
    "grip_flag": Kind(lambda scene, p: np.array([float(scene.arm.is_gripping)]), "1", "none", 1, needs="gripper"),
    # marks on a board
    "normal_force": Kind(
        lambda scene, p: np.array([_marks(scene).normal_force]), "N", "normal of the board", 1, needs="marks"
    ),
    "mark_offsets": Kind(
        lambda scene, p: (_marks(scene).position - scene.arm.tool_position[:2]).ravel(),
        *("m", FROM_TOOL, None),
        needs="marks",
    ),
    "nearest_untouched": Kind(
        lambda scene, p: _marks(scene).nearest(scene.arm.tool_position, ~_marks(scene).touched),
        *(NEAREST, FROM_TOOL, 3),
        needs="marks",
    ),
    "nearest_ink": Kind(
        lambda scene, p: _marks(scene).nearest(scene.arm.tool_position, _marks(scene).ink > 0.0),
        *(NEAREST, FROM_TOOL, 3),
        needs="marks",
    ),
    "untouched_left": Kind(
        lambda scene, p: np.array([1.0 - _marks(scene).touched.mean()]), "1", "none", 1, needs="marks"
    ),
    "ink_left": Kind(lambda scene, p: np.array([_marks(scene).ink.mean()]), "1", "none", 1, needs="marks"),
    "ink": Kind(lambda scene, p: _marks(scene).ink, "1", "none", None, needs="marks"),
    "touched": Kind(lambda scene, p: _marks(scene).touched.astype(float), "1", "none", None, needs="marks"),
    # an object on a table
    "object_from_tool": Kind(
        lambda scene, p: _object(scene).position - scene.arm.tool_position, "m", FROM_TOOL, 3, needs="object"
    ),
    "object_up": Kind(
        lambda scene, p: rotate(_object(scene).orientation, np.array([0.0, 0.0, 1.0])), "1", "base", 3, needs="object"
    ),
    "object_velocity": Kind(lambda scene, p: _object(scene).velocity, "m/s", "base", 3, needs="object"),
    "goal_offset": Kind(
        lambda scene, p: _goal(scene) - _object(scene).position[:2], "m", "base, from the object", 2, needs="object"
    ),
    # an elongated object
    "parcel_axis": Kind(lambda scene, p: _parcel_axis(scene), "1", "base", 3, needs="object"),
    "place_along_length": Kind(
        lambda scene, p: np.array([_along_length(scene)]), "m", "length of the parcel", 1, needs="object"
    ),
    "grasp_point_from_tool": Kind(_grasp_point_from_tool, "m", FROM_TOOL, 3, needs="object"),
    "height_share": Kind(
        lambda scene, p: (_object(scene).position[2:] - p["object_size"][2] / 2) / p["full_scale"],
        *("1", "base", 1),
        parameters=("object_size", "full_scale"),
        needs="object",
    ),
}
"""The kinds of term that a contract may have."""
