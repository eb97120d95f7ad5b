# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The limits, from one file, inside those of the manufacturer's data sheet."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import read_file
from ..fr3 import JOINT_TORQUE

DEFAULT_FILE = Path(__file__).with_name("fr3.toml")

OUTER = {
    "max_speed": 3.0,
    "max_acceleration": 9.0,
    "max_approach_speed": 3.0,
    "stop_speed": 3.0,
    "max_turn_rate": 2.5,
    "max_step": 0.10,
    "max_turn": 0.5,
    "max_force": 100.0,
    "max_start_force": 20.0,
    "max_payload": 3.0,
    "peak_factor": 2.0,
    "velocity_share": 1.0,
    "home_speed": 2.62,
    "home_acceleration": 10.0,
    "first_speed": 1.0,
    "workspace_margin": 0.10,
    "joint_margin": 1.0,
    "max_state_age": 0.1,
    "max_hand_age": 1.0,
    "max_policy_time": 0.1,
    "max_motion": 3600.0,
}
"""What no file may exceed. Cartesian and joint limits and torque: FR3 data sheet. Force and step: ours, what hurts.
Times: ours, so that a stop is commanded within 0.1 s of its cause."""


MOST = 1e4
"""No limit is larger, in any unit."""

LEAST_JOINT_MARGIN = 0.01
"""Least distance to a joint's limits [rad]."""


class SafetyError(UserError):
    """A file of limits is missing, damaged or too generous. The message is one line."""


@dataclass(frozen=True)
class SafetyLimits:
    """See ``fr3.toml`` for what each is; units there."""

    workspace_low: tuple[float, float, float]
    workspace_high: tuple[float, float, float]
    workspace_margin: float
    lowest: float
    max_speed: float
    max_acceleration: float
    max_approach_speed: float
    stop_speed: float
    max_turn_rate: float
    max_step: float
    max_turn: float
    first_speed: float
    joint_margin: float
    velocity_share: float
    home_speed: float
    home_acceleration: float
    max_force: float
    max_joint_torque: tuple[float, ...]
    peak_factor: float
    max_start_force: float
    max_payload: float
    max_state_age: float
    max_hand_age: float
    max_policy_time: float
    max_motion: float

    def __post_init__(self) -> None:
        """Refuse what is beyond the data sheet.

        Raises:
            SafetyError: A limit is not a positive number, beyond :obj:`OUTER`, or the box is empty.
        """
        for field in fields(self):
            values = getattr(self, field.name)
            for value in values if isinstance(values, tuple) else (values,):
                if isinstance(value, bool) or not isinstance(value, (int, float)) or not -MOST <= value <= MOST:
                    raise SafetyError(f"safety: {field.name} is {value}; it must be a finite number")
        for name, outer in OUTER.items():
            if not 0.0 < getattr(self, name) <= outer:
                raise SafetyError(f"safety: {name} is {getattr(self, name)}; it must be above 0 and at most {outer:g}")
        for joint, (torque, outer) in enumerate(zip(self.max_joint_torque, JOINT_TORQUE, strict=True), start=1):
            if not 0.0 < torque <= outer:
                raise SafetyError(
                    f"safety: max_joint_torque of joint {joint} is {torque}; it must be above 0 and at most {outer:g}"
                )
        if self.joint_margin < LEAST_JOINT_MARGIN:
            raise SafetyError(f"safety: joint_margin is {self.joint_margin}; it must be at least {LEAST_JOINT_MARGIN}")
        if not -1.0 <= self.lowest <= 1.2:
            raise SafetyError(f"safety: lowest is {self.lowest}; it must be a height in the arm's reach")
        for low, high in zip(self.workspace_low, self.workspace_high, strict=True):
            if not -1.0 <= low < high <= 1.2:
                raise SafetyError(f"safety: the workspace from {low} to {high} is empty or out of the arm's reach")

    @staticmethod
    def load(file: Path = DEFAULT_FILE) -> SafetyLimits:
        """Read the limits.

        Raises:
            SafetyError: The file cannot be read, names something unknown, or leaves something out.
        """
        try:
            sections = tomllib.loads(read_file(file).decode("utf-8"))
        except OSError as error:
            raise SafetyError(f"safety file cannot be read: {file} ({error.strerror})") from error
        except (ValueError, RecursionError) as error:
            raise SafetyError(f"safety file is damaged: {file} ({error})") from error
        values: dict[str, Any] = {}
        for section, entries in sections.items():
            for name, value in (entries if isinstance(entries, dict) else {"": entries}).items():
                values[_FIELDS.get((section, name), f"{section}.{name}")] = tuple(value) if _is_list(value) else value
        known = {field.name for field in fields(SafetyLimits)}
        for kind, names in (("unknown", values.keys() - known), ("missing", known - values.keys())):
            if names:
                raise SafetyError(f"safety file has {kind} limits: {', '.join(sorted(names))} ({file})")
        for name, length in (("workspace_low", 3), ("workspace_high", 3), ("max_joint_torque", 7)):
            if not _is_list(values[name]) or len(values[name]) != length:
                raise SafetyError(f"safety file: {name} has {length} numbers ({file})")
        return SafetyLimits(**values)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


_FIELDS = {
    **{("workspace", name): f"workspace_{name}" for name in ("low", "high", "margin")},
    ("workspace", "lowest"): "lowest",
    ("joints", "margin"): "joint_margin",
    **{
        (section, name): name
        for section, names in {
            "motion": (
                "max_speed",
                "max_acceleration",
                "max_approach_speed",
                "stop_speed",
                "max_turn_rate",
                "max_step",
                "max_turn",
                "first_speed",
            ),
            "joints": ("velocity_share", "home_speed", "home_acceleration"),
            "contact": ("max_force", "max_joint_torque", "peak_factor", "max_start_force", "max_payload"),
            "time": ("max_state_age", "max_hand_age", "max_policy_time", "max_motion"),
        }.items()
        for name in names
    },
}
"""Field of each entry of the file, by section and name."""
