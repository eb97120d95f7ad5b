# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Each kind of observation term, computed from what was measured; the names are those of the simulated tasks.

A kind takes the scene and the term's parameters, and returns a vector in the unit that the contract names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .state import MissingStateError, ObjectState, Scene, rotate
from .tasks.marks import Marks

Kind = Callable[[Scene, dict[str, Any]], np.ndarray]


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
    # the arm
    "tool_position": lambda scene, p: scene.arm.tool_position - np.asarray(p["origin"]),
    "tool_velocity": lambda scene, p: scene.arm.tool_velocity,
    "height_drift": lambda scene, p: scene.arm.tool_position[2:] - scene.start_position[2:],
    "push_force": lambda scene, p: np.linalg.norm(scene.arm.force, keepdims=True),
    "hand_axis": lambda scene, p: rotate(scene.arm.hand_orientation, np.array([1.0, 0.0, 0.0]))[:2],
    "finger_opening": lambda scene, p: np.array([scene.arm.finger_opening]),
    "grip_flag": lambda scene, p: np.array([float(scene.arm.is_gripping)]),
    # marks on a board
    "normal_force": lambda scene, p: np.array([_marks(scene).normal_force]),
    "mark_offsets": lambda scene, p: (_marks(scene).position - scene.arm.tool_position[:2]).ravel(),
    "nearest_untouched": lambda scene, p: _marks(scene).nearest(scene.arm.tool_position, ~_marks(scene).touched),
    "nearest_ink": lambda scene, p: _marks(scene).nearest(scene.arm.tool_position, _marks(scene).ink > 0.0),
    "untouched_left": lambda scene, p: np.array([1.0 - _marks(scene).touched.mean()]),
    "ink_left": lambda scene, p: np.array([_marks(scene).ink.mean()]),
    "ink": lambda scene, p: _marks(scene).ink,
    "touched": lambda scene, p: _marks(scene).touched.astype(float),
    # a thing on a table
    "object_from_tool": lambda scene, p: _object(scene).position - scene.arm.tool_position,
    "object_up": lambda scene, p: rotate(_object(scene).orientation, np.array([0.0, 0.0, 1.0])),
    "object_velocity": lambda scene, p: _object(scene).velocity,
    "goal_offset": lambda scene, p: _goal(scene) - _object(scene).position[:2],
    # an elongated thing
    "parcel_axis": lambda scene, p: _parcel_axis(scene),
    "place_along_length": lambda scene, p: np.array([_along_length(scene)]),
    "grasp_point_from_tool": _grasp_point_from_tool,
    "height_share": lambda scene, p: (_object(scene).position[2:] - p["object_size"][2] / 2) / p["full_scale"],
}
"""What a contract's terms can be."""
