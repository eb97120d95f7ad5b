# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The contract beside an exported policy: all that it takes to drive an arm with it.

Its form is published as a JSON schema, ``contract.schema.json``. Lengths in metres, angles in radians, forces in
newtons, times in seconds, quaternions as x, y, z, w; positions along the axes of the robot's base unless a ``frame``
says otherwise.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from .contract_checks import ContractError, check_numbers

FORMAT = "mereq-contract"
VERSION = 1
"""Of the format. A reader refuses any other: a term that it does not know would move the arm."""

FILE_NAME = "contract.json"
SCHEMA_FILE = Path(__file__).with_name("contract.schema.json")


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


@dataclass(frozen=True)
class Controller:
    """What follows the target between two actions, in the simulator and on the arm."""

    type: str
    rate_hz: float
    stiffness: list[float]
    """Along x, y, z [N/m] and about them [N m/rad]."""

    damping: list[float]
    """The same for velocity [N s/m, N m s/rad]."""

    joint_damping: float
    """Of each joint, beside it [N m s/rad]."""

    gravity_compensated: bool


@dataclass(frozen=True)
class Tool:
    """The point that the policy moves, and the one whose velocity it sees, both fixed in the hand's frame."""

    name: str
    frame: str
    point: list[float]
    velocity_point: list[float]
    mass: float
    """Of what the hand holds [kg], its centre at ``velocity_point``; 0 for the bare hand."""


@dataclass(frozen=True)
class Model:
    """A network in its files. ``inputs`` and ``outputs`` are names of tensors in order."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    files: dict[str, dict[str, str]]
    """By form (``onnx``, ``torchscript``): ``name`` and ``sha256`` of the file."""


@dataclass(frozen=True)
class Contract:
    """See the module."""

    robot: str
    task: str
    goal: str
    wish: str
    rate_hz: float
    """Rate of the policy."""

    episode_length_s: float
    controller: Controller
    tool: Tool
    home: dict[str, float]
    """Position of each joint from which episodes start, give or take what the task randomises [rad, fingers m]."""

    observation: list[ObservationTerm]
    action: list[ToolStep | GripperCommand]
    parameters: dict[str, Any]
    """Constants of the task that the runtime needs: for Franka-Erase how ink comes off."""

    features: list[str]
    theta: dict[str, float] | None
    """What the person's corrections came to, by feature; None for a policy that nobody corrected."""

    models: dict[str, Model]
    versions: dict[str, str]
    source: dict[str, Any] = field(default_factory=dict)
    """The run that it came from."""

    @property
    def num_obs(self) -> int:
        """Width of the observation."""
        return sum(term.width for term in self.observation)

    @property
    def num_actions(self) -> int:
        """Width of the action."""
        return sum(term.width for term in self.action)

    def to_dict(self) -> dict[str, Any]:
        """Return the contract as what JSON can hold."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    def save(self, folder: Path) -> None:
        """Write ``contract.json``."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        (folder / FILE_NAME).write_text(text, encoding="utf-8")

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Contract:
        """Read a contract.

        Raises:
            ContractError: It is of another format or version, or something is missing, unknown or out of place.
        """
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ContractError("not a contract of an exported policy")
        if values.get("version") != VERSION:
            raise ContractError(
                f"contract has version {values.get('version')}, this program reads {VERSION}: export the policy again"
            )
        fields = {key: value for key, value in values.items() if key not in ("format", "version")}
        try:
            fields["controller"] = Controller(**fields["controller"])
            fields["tool"] = Tool(**fields["tool"])
            fields["observation"] = [ObservationTerm(**term) for term in fields["observation"]]
            fields["action"] = [_ACTIONS[term["type"]](**term) for term in fields["action"]]
            fields["models"] = {name: Model(**model) for name, model in fields["models"].items()}
            contract = Contract(**fields)
            check_numbers(contract)
        except (AttributeError, KeyError, TypeError) as error:
            raise ContractError(f"contract is damaged: {type(error).__name__}: {error}") from error
        return contract

    @staticmethod
    def load(folder: Path) -> Contract:
        """Read ``contract.json`` of a folder, and check the model files against it.

        Raises:
            ContractError: A file is missing or damaged, or not the one that was exported.
        """
        file = folder / FILE_NAME
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ContractError(f"no contract: {file} ({error.strerror})") from error
        except ValueError as error:
            raise ContractError(f"contract is damaged: {file} ({error})") from error
        contract = Contract.from_dict(values)
        for model in contract.models.values():
            for entry in model.files.values():
                check_file(folder / entry["name"], entry["sha256"])
        return contract


_ACTIONS = {"tool_step": ToolStep, "gripper": GripperCommand}


def checksum(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def check_file(file: Path, expected: str) -> None:
    """Refuse a file that is missing or not the one that was exported.

    Raises:
        ContractError: It is.
    """
    try:
        found = checksum(file)
    except OSError as error:
        raise ContractError(f"model file of the contract cannot be read: {file} ({error.strerror})") from error
    if found != expected:
        raise ContractError(
            f"model file is not the one that was exported: {file} (SHA-256 {found[:12]}, contract says {expected[:12]})"
        )
