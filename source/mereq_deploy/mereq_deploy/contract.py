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
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .contract_bounds import (
    CONTROLLER_RATE,
    LONGEST_EPISODE,
    POLICY_RATE,
    ContractError,
    check_count,
    check_range,
    check_text,
    check_vector,
)
from .contract_fields import Controller, GripperCommand, Model, ObservationTerm, Tool, ToolStep
from .files import content_of
from .fr3 import JOINT_HIGH, JOINT_LOW, JOINT_NAMES, frames, in_hand
from .state import matrix
from .tasks.marks import check_law
from .terms import KINDS

__all__ = [
    "Contract",
    "ContractError",
    "Controller",
    "GripperCommand",
    "Model",
    "ObservationTerm",
    "Tool",
    "ToolStep",
    "check_file",
    "checksum",
]

FORMAT = "mereq-contract"
VERSION = 1
"""Of the format. A reader refuses any other: a term that it does not know would move the arm."""

FILE_NAME = "contract.json"

DIGEST_NAME = "contract.sha256"
"""Holds the SHA-256 of ``contract.json`` in the form of ``sha256sum``."""

FINGERS = ("fr3_finger_joint1", "fr3_finger_joint2")

MOST_FINGER = 0.04
"""Greatest position of a finger [m]. Source: data sheet of the Franka Hand, 80 mm between both."""

HOME_MARGIN = 0.03
"""How far outside of its workspace the home pose may hold the tool [m]."""

MOST_HOME_TURN = 0.2
"""How far the hand's orientation at home may be from the action's [rad]: as far as it may be asked to turn."""

SCHEMA_FILE = Path(__file__).with_name("contract.schema.json")


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

    @property
    def tool_step(self) -> ToolStep:
        """The action that moves the tool."""
        (step,) = (term for term in self.action if isinstance(term, ToolStep))
        return step

    @property
    def gripper(self) -> GripperCommand | None:
        """The action that opens and closes the hand; None for a policy that does not."""
        return next((term for term in self.action if isinstance(term, GripperCommand)), None)

    @property
    def home_joints(self) -> np.ndarray:
        """The arm's joints at home [rad]. Shape: (7,)."""
        return np.array([self.home[name] for name in JOINT_NAMES])

    @property
    def home_tool(self) -> np.ndarray:
        """Where the tool's point is at home, along the axes of the base [m]. Shape: (3,)."""
        return in_hand(frames(self.home_joints)[8], np.asarray(self.tool.point))

    @property
    def digest(self) -> str:
        """SHA-256 of the contract's bytes, in hexadecimal."""
        return hashlib.sha256(self._bytes()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the contract as what JSON can hold."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    def _bytes(self) -> bytes:
        return (json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()

    def save(self, folder: Path) -> None:
        """Write ``contract.json``, and its digest beside it."""
        (folder / FILE_NAME).write_bytes(self._bytes())
        (folder / DIGEST_NAME).write_text(f"{self.digest}  {FILE_NAME}\n", encoding="utf-8")

    def check(self) -> None:
        """Refuse what would be computed with and could move the arm anywhere, or means something else here.

        Raises:
            ContractError: A part is out of place; the message says which, and what would be allowed.
        """
        check_text("text", self.robot, self.task, self.goal, self.wish, *self.features)
        for name in ("parameters", "versions", "source", "home", "models"):
            if not isinstance(getattr(self, name), dict):
                raise ContractError(f"contract: {name} is {getattr(self, name)!r}; it must be an object")
        if not (self.theta is None or isinstance(self.theta, dict)):
            raise ContractError(f"contract: theta is {self.theta!r}; it must be an object or null")
        check_range("rate_hz", self.rate_hz, *POLICY_RATE, "Hz")
        check_range("episode_length_s", self.episode_length_s, 1.0 / self.rate_hz, LONGEST_EPISODE, "s")
        for part in (self.controller, self.tool, *self.observation, *self.action, *self.models.values()):
            part.check()
        check_range("controller: rate_hz", self.controller.rate_hz, self.rate_hz, CONTROLLER_RATE[1], "Hz")
        if [term.type for term in self.action] not in (["tool_step"], ["tool_step", "gripper"]):
            raise ContractError("contract: an action is one tool step and then at most one gripper")
        names = [term.name for term in self.observation]
        if not names or len(set(names)) != len(names):
            raise ContractError(f"contract: each observation needs a name of its own, found {names}")
        self._check_home()
        needed = {KINDS[term.kind].needs for term in self.observation}
        if "marks" in needed or "marks" in self.parameters:
            check_law(self.parameters.get("marks"))
            for term in self.observation:
                check_count(f"observation {term.name}: width", term.width, 2 * self.parameters["marks"]["num_marks"])
        if "gripper" in needed and self.gripper is None:
            raise ContractError("contract: the policy sees the hand's fingers and has no action for them")
        for name, weight in (self.theta or {}).items():
            check_vector(f"theta of {name}", [weight], 1)
        if "policy" not in self.models:
            raise ContractError("contract: names no model 'policy'")
        self._bytes()  # what no JSON in UTF-8 can hold, as NaN in the source, is refused here

    def _check_home(self) -> None:
        """Refuse a home that the arm cannot reach, or from which the policy could not begin."""
        missing = [name for name in JOINT_NAMES if name not in self.home]
        unknown = [name for name in self.home if name not in (*JOINT_NAMES, *FINGERS)]
        if missing or unknown:
            raise ContractError(
                "contract: home has "
                + "; ".join(
                    f"{what} {', '.join(names)}" for what, names in (("no", missing), ("unknown", unknown)) if names
                )
            )
        for name, low, high in zip(JOINT_NAMES, JOINT_LOW, JOINT_HIGH, strict=True):
            check_range(f"home: {name}", self.home[name], low, high, "rad")
        for name in FINGERS:
            check_range(f"home: {name}", self.home.get(name, 0.0), 0.0, MOST_FINGER, "m")
        step, hand, place = self.tool_step, frames(self.home_joints)[8], self.home_tool
        outside = np.maximum(np.asarray(step.workspace_low) - place, place - np.asarray(step.workspace_high))
        if outside.max() > HOME_MARGIN:
            raise ContractError(
                f"contract: home: the tool is at ({', '.join(f'{number:.3f}' for number in place)}) m there,"
                f" {outside.max():.3f} m outside the policy's workspace"
            )
        turn = hand[:3, :3] @ matrix(np.asarray(step.orientation)).T
        if step.yaw_step is not None:  # turned about the vertical, it is as good
            yaw = math.atan2(turn[1, 0], turn[0, 0])
            turn = matrix(np.array([0.0, 0.0, -math.sin(yaw / 2), math.cos(yaw / 2)])) @ turn
        angle = math.acos(max(-1.0, min(1.0, (float(np.trace(turn)) - 1.0) / 2.0)))
        if angle > MOST_HOME_TURN:
            raise ContractError(
                f"contract: home: the hand is turned by {angle:.2f} rad from the action's orientation there,"
                f" at most {MOST_HOME_TURN} rad is allowed"
            )

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Contract:
        """Read a contract.

        Raises:
            ContractError: It is of another format or version, or something is missing, unknown or out of place.
        """
        check_version(values)
        fields = {key: value for key, value in values.items() if key not in ("format", "version")}
        try:
            fields["controller"] = Controller(**fields["controller"])
            fields["tool"] = Tool(**fields["tool"])
            fields["observation"] = [ObservationTerm(**term) for term in fields["observation"]]
            fields["action"] = [_ACTIONS[term["type"]](**term) for term in fields["action"]]
            fields["models"] = {name: Model(**model) for name, model in fields["models"].items()}
            contract = Contract(**fields)
            contract.check()
        except ContractError:
            raise
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
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
            content = content_of(file)
            values = json.loads(content.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_unique)
        except OSError as error:
            raise ContractError(f"no contract: {file} ({error.strerror})") from error
        except (ValueError, RecursionError) as error:
            raise ContractError(f"contract is damaged: {file} ({error})") from error
        try:
            check_version(values)
        except ContractError as error:
            raise ContractError(f"{error} ({file})") from error
        _check_digest(folder, hashlib.sha256(content).hexdigest())
        contract = Contract.from_dict(values)
        for model in contract.models.values():
            for entry in model.files.values():
                check_file(folder / entry["name"], entry["sha256"])
        return contract


_ACTIONS = {"tool_step": ToolStep, "gripper": GripperCommand}


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says something twice: programs differ in which they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def check_version(values: Any) -> None:
    """Refuse what is no contract, or one of another version.

    Raises:
        ContractError: It is.
    """
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ContractError("not a contract of an exported policy")
    if values.get("version") != VERSION:
        raise ContractError(
            f"contract has version {values.get('version')}, this program reads {VERSION}: export the policy again"
        )


def _check_digest(folder: Path, found: str) -> None:
    """Refuse a contract whose bytes are not those that were exported.

    Raises:
        ContractError: They are not, or the digest is missing or damaged.
    """
    file = folder / DIGEST_NAME
    try:
        said = content_of(file).decode("utf-8").split()
    except OSError as error:
        raise ContractError(f"no digest of the contract: {file} ({error.strerror}); export the policy again") from error
    except ValueError as error:
        raise ContractError(f"digest of the contract is damaged: {file} ({error})") from error
    if said[:1] != [found]:
        raise ContractError(
            f"contract is not the one that was exported: {folder / FILE_NAME} (SHA-256 {found[:12]},"
            f" {DIGEST_NAME} says {(said or ['nothing'])[0][:12]}); if you changed it on purpose, make"
            f" {DIGEST_NAME} anew with sha256sum"
        )


def checksum(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(content_of(file)).hexdigest()


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
