# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The parts of a contract. Each is data with a check of its own numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from .contract_bounds import (
    CONTROLLER_RATE,
    LEAST_DAMPING_RATIO,
    LEAST_DOWN,
    LEAST_SCALE,
    MOST_DAMPING,
    MOST_JOINT_DAMPING,
    MOST_SCALE,
    MOST_SEEN,
    MOST_STIFFNESS,
    MOVED,
    TOOL_AHEAD,
    TOOL_ASIDE,
    TOOL_LENGTH,
    ContractError,
    check_box,
    check_count,
    check_equal,
    check_range,
    check_text,
    check_unit_quaternion,
    check_vector,
)
from .fr3 import MOST_LOAD, MOST_OPEN, REACH
from .terms import KINDS

HAND_FRAME = "fr3_hand"


@dataclass(frozen=True)
class ObservationTerm:
    """A block of the observation: ``scale * clip(value)``, where ``kind`` says what the value is."""

    name: str
    kind: str
    """What is measured; :mod:`mereq_deploy.terms` computes each kind."""

    width: int
    unit: str | list[str]
    """Of the value before it is scaled; a list where components differ."""

    frame: str
    clip: list[float] | None
    scale: list[float]
    low: list[float]
    """Least value of each component as the policy sees it, clipped and scaled."""

    high: list[float]
    parameters: dict[str, Any]
    meaning: str

    def check(self) -> None:
        """Refuse a term that this program would compute as something else.

        Raises:
            ContractError: The kind is unknown, or unit, frame or width are not the kind's, or a number is out of place.
        """
        what = f"observation {self.name}"
        check_text(what, self.name, self.kind, self.frame, self.meaning)
        kind = KINDS.get(self.kind)
        if kind is None:
            raise ContractError(f"contract: {what} is of unknown kind {self.kind!r}, not one of terms.py")
        check_count(f"{what}: width", self.width)
        check_equal(f"{what}: unit", self.unit, kind.unit)
        check_equal(f"{what}: frame", self.frame, kind.frame)
        if kind.width is not None:
            check_equal(f"{what}: width", self.width, kind.width)
        for name in ("scale", "low", "high"):
            check_vector(f"{what}: {name}", getattr(self, name), self.width)
        if not all(LEAST_SCALE <= scale <= MOST_SCALE for scale in self.scale):
            raise ContractError(
                f"contract: {what}: scale must be {LEAST_SCALE:g} to {MOST_SCALE:g}, found {self.scale}"
            )  # with a negative one the policy would see a mirrored world
        for low, high in zip(self.low, self.high, strict=True):
            if not -MOST_SEEN <= low <= high <= MOST_SEEN:
                raise ContractError(
                    f"contract: {what}: low and high are {low} and {high}; they must be {-MOST_SEEN:g} to"
                    f" {MOST_SEEN:g}, low first"
                )
        if self.clip is not None:
            low, high = check_vector(f"{what}: clip", self.clip, 2)
            if low >= high:
                raise ContractError(f"contract: {what}: clip is {self.clip}; it must be from low to high")
        for name in kind.parameters:
            value = self.parameters.get(name)
            if name == "full_scale":
                check_range(f"{what}: {name}", value, 1e-3, 10.0, "m")
            else:
                check_vector(f"{what}: {name}", value, 3)


@dataclass(frozen=True)
class ToolStep:
    """A step of the tool: the target is the measured position plus ``step_size * action``, inside the workspace.

    Where a ``yaw_step`` is given, a fourth number turns the tool about the vertical by ``yaw_step * action``.
    """

    name: str
    width: int
    step_size: list[float]
    workspace_low: list[float]
    workspace_high: list[float]
    orientation: list[float]
    """What the tool keeps, or turns from [xyzw]."""

    yaw_step: float | None = None
    yaw_limits: list[float] | None = None
    unit: str = "m"
    """Of ``step_size``; a turn is in radians."""

    frame: str = "base"
    """Along whose axes the step is."""

    type: Literal["tool_step"] = "tool_step"

    def check(self) -> None:
        """Refuse a step that no arm should take.

        Raises:
            ContractError: A number is out of place, the tool points up, or unit or frame are others.
        """
        what = f"action {self.name}"
        check_text(what, self.name)
        check_equal(f"{what}: unit", self.unit, "m")
        check_equal(f"{what}: frame", self.frame, "base")
        check_equal(f"{what}: width", self.width, 3 if self.yaw_step is None else 4)
        for size in check_vector(f"{what}: step_size", self.step_size, 3):
            if not 0.0 < size <= REACH:
                raise ContractError(
                    f"contract: {what}: step_size is {self.step_size}; it must be above 0 and at most {REACH} m"
                )
        check_box(f"{what}: workspace", self.workspace_low, self.workspace_high)
        x, y, z, w = check_unit_quaternion(f"{what}: orientation", self.orientation)
        down = -(w * w - x * x - y * y + z * z)
        if down < LEAST_DOWN:
            raise ContractError(
                f"contract: {what}: with orientation {self.orientation} the hand's z axis is"
                f" {math.degrees(math.acos(max(-1.0, min(1.0, down)))):.0f} degrees off straight down,"
                f" at most {math.degrees(math.acos(LEAST_DOWN)):.0f} are allowed"
            )
        if (self.yaw_step is None) != (self.yaw_limits is None):
            raise ContractError(f"contract: {what}: yaw_step and yaw_limits go together")
        if self.yaw_step is not None and self.yaw_limits is not None:
            check_range(f"{what}: yaw_step", self.yaw_step, 1e-6, math.pi, "rad")
            low, high = check_vector(f"{what}: yaw_limits", self.yaw_limits, 2)
            if not -math.pi <= low < high <= math.pi:
                raise ContractError(f"contract: {what}: yaw_limits are {self.yaw_limits}; -pi to pi, low first")


@dataclass(frozen=True)
class GripperCommand:
    """One number: open from 0 on, closed below."""

    name: str
    open_width: float
    """Distance between the fingertips when open [m]."""

    closed_width: float
    """Commanded distance when closed; less than the object's width, so that the fingers press [m]."""

    width: int = 1
    unit: str = "m"
    type: Literal["gripper"] = "gripper"

    def check(self) -> None:
        """Refuse what no hand can do.

        Raises:
            ContractError: A width is none of a hand, or unit or width are others.
        """
        what = f"action {self.name}"
        check_text(what, self.name)
        check_equal(f"{what}: unit", self.unit, "m")
        check_equal(f"{what}: width", self.width, 1)
        closed, opened = check_vector(f"{what}: widths", [self.closed_width, self.open_width], 2)
        if not 0.0 <= closed < opened <= MOST_OPEN:
            raise ContractError(f"contract: {what}: {closed} and {opened} m are not of a hand")


@dataclass(frozen=True)
class Controller:
    """How the arm follows the target between two actions, in the simulator and in reality."""

    type: str
    rate_hz: float
    stiffness: list[float]
    """Along x, y, z [N/m] and about them [N m/rad]."""

    damping: list[float]
    """The same for velocity [N s/m, N m s/rad]."""

    joint_damping: float
    """Of each joint, beside it [N m s/rad]."""

    gravity_compensated: bool

    def check(self) -> None:
        """Refuse a spring that is none, is harder than an arm's own controller could be, or is hardly damped.

        Raises:
            ContractError: It is, or the controller is of another type.
        """
        check_equal("controller: type", self.type, "cartesian_impedance")
        check_equal("controller: gravity_compensated", self.gravity_compensated, True)
        check_range("controller: rate_hz", self.rate_hz, *CONTROLLER_RATE, "Hz")
        for name, most in (("stiffness", MOST_STIFFNESS), ("damping", MOST_DAMPING)):
            values = check_vector(f"controller: {name}", getattr(self, name), 6)
            if any(not 0.0 < value <= most[index // 3] for index, value in enumerate(values)):
                raise ContractError(f"contract: controller: {name} must be above 0 and at most {most}, found {values}")
        for index, (stiffness, damping) in enumerate(zip(self.stiffness, self.damping, strict=True)):
            least = LEAST_DAMPING_RATIO * 2.0 * math.sqrt(stiffness * MOVED[index // 3])
            if damping < least:
                raise ContractError(
                    f"contract: controller: damping must be at least {least:.3g} for a stiffness of {stiffness:g},"
                    f" or the arm swings; found {damping:g}"
                )
        check_range("controller: joint_damping", self.joint_damping, 0.0, MOST_JOINT_DAMPING)


@dataclass(frozen=True)
class Tool:
    """The point that the policy moves, and the one whose velocity it sees, both fixed in the hand's frame."""

    name: str
    frame: str
    point: list[float]
    velocity_point: list[float]
    mass: float
    """Of what the hand holds [kg], its centre at ``velocity_point``; 0 for the bare hand."""

    def check(self) -> None:
        """Refuse a tool that no hand holds.

        Raises:
            ContractError: It is too heavy, its points are too far off, or they are in another frame.
        """
        check_text("tool", self.name)
        check_equal("tool: frame", self.frame, HAND_FRAME)
        for name in ("point", "velocity_point"):
            x, y, z = check_vector(f"tool: {name}", getattr(self, name), 3)
            if math.hypot(x, y) > TOOL_ASIDE or not 0.0 <= z <= TOOL_AHEAD:
                raise ContractError(
                    f"contract: tool: {name} is {[x, y, z]}; it must be at most {TOOL_ASIDE} m beside the hand's z axis"
                    f" and 0 to {TOOL_AHEAD} m along it"
                )
        if math.dist(self.point, self.velocity_point) > TOOL_LENGTH:
            raise ContractError(f"contract: tool: point and velocity_point are more than {TOOL_LENGTH} m apart")
        check_range("tool: mass", self.mass, 0.0, MOST_LOAD, "kg")


@dataclass(frozen=True)
class Model:
    """A network in its files. ``inputs`` and ``outputs`` are names of tensors in order."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    files: dict[str, dict[str, str]]
    """By form (``onnx``, ``torchscript``): ``name`` and ``sha256`` of the file."""

    def check(self) -> None:
        """Refuse a model that is not in the export's own folder.

        Raises:
            ContractError: A file's name leads elsewhere, or a checksum is none.
        """
        check_text("model", self.kind, *self.inputs, *self.outputs)
        if not self.inputs or not self.outputs:
            raise ContractError("contract: a model has no input or no output")
        for entry in self.files.values():
            check_text("model file", entry["name"], entry["sha256"])
            if entry["name"] in ("", ".", "..") or any(mark in entry["name"] for mark in ("/", "\\", "\0")):
                raise ContractError(f"contract: model file {entry['name']!r} is not in the export's own folder")
            if len(entry["sha256"]) != 64 or not set(entry["sha256"]) <= set("0123456789abcdef"):
                raise ContractError(f"contract: model file {entry['name']}: {entry['sha256']!r} is no SHA-256")
