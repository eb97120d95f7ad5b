# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Which numbers a contract may have: what is computed with and could move the arm anywhere is refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .contract import Contract, Controller

MOST_STIFFNESS = (3000.0, 300.0)
"""Translational [N/m] and rotational [N m/rad]. Source: range of libfranka's Cartesian impedance."""

MOST_DAMPING = (500.0, 50.0)
"""The same for damping [N s/m, N m s/rad]. Source: ours, more than critical damping of the stiffest spring."""

MOST_JOINT_DAMPING = 20.0
"""[N m s/rad]. Source: ours, half of libfranka's default joint damping."""

MOST_LOAD = 3.0
"""[kg]. Source: payload of the FR3."""

MOST_OPEN = 0.08
"""[m]. Source: data sheet of the Franka Hand."""


class ContractError(ValueError):
    """A contract is missing, damaged, of another version, or does not fit its files. The message is one line."""


def check_numbers(contract: Contract) -> None:
    """Refuse what would be computed with and could move the arm anywhere.

    Raises:
        ContractError: A list has another length than its term, or a number is not finite or not positive.
    """
    for term in contract.observation:
        for name in ("scale", "low", "high"):
            _check_vector(f"observation {term.name}: {name}", getattr(term, name), term.width)
        if term.clip is not None:
            _check_vector(f"observation {term.name}: clip", term.clip, 2)
    for action in contract.action:
        if action.type == "tool_step":
            for name, length in (("step_size", 3), ("workspace_low", 3), ("workspace_high", 3), ("orientation", 4)):
                _check_vector(f"action {action.name}: {name}", getattr(action, name), length)
            if abs(math.hypot(*action.orientation) - 1.0) > 1e-6:
                raise ContractError(f"contract: action {action.name}: orientation is no unit quaternion")
            if any(low >= high for low, high in zip(action.workspace_low, action.workspace_high, strict=True)):
                raise ContractError(f"contract: action {action.name}: the workspace is empty")
            if (action.yaw_step is None) != (action.yaw_limits is None):
                raise ContractError(f"contract: action {action.name}: yaw_step and yaw_limits go together")
            if action.yaw_step is not None and action.yaw_limits is not None:
                _check_vector(
                    f"action {action.name}: yaw_step and yaw_limits", [action.yaw_step, *action.yaw_limits], 3
                )
        elif not 0.0 <= action.closed_width < action.open_width <= MOST_OPEN:
            raise ContractError(
                f"contract: action {action.name}: {action.closed_width} and {action.open_width} m are not of a hand"
            )
    for name, length in (("point", 3), ("velocity_point", 3)):
        _check_vector(f"tool: {name}", getattr(contract.tool, name), length)
    _check_gains(contract.controller)
    if not 0.0 <= contract.tool.mass <= MOST_LOAD:
        raise ContractError(f"contract: tool: mass is {contract.tool.mass} kg; it must be 0 to {MOST_LOAD}")
    for name, position in contract.home.items():
        _check_vector(f"home: {name}", [position], 1)
    for name in ("rate_hz", "episode_length_s"):
        if not 0.0 < getattr(contract, name) < math.inf:
            raise ContractError(f"contract: {name} is {getattr(contract, name)}; it must be positive")
    if "policy" not in contract.models:
        raise ContractError("contract: names no model 'policy'")


def _check_gains(controller: Controller) -> None:
    """Refuse a spring that is none, is harder than an arm's own controller could be, or is not damped."""
    for name, most in (("stiffness", MOST_STIFFNESS), ("damping", MOST_DAMPING)):
        values = getattr(controller, name)
        _check_vector(f"controller: {name}", values, 6)
        if any(not 0.0 < value <= most[index // 3] for index, value in enumerate(values)):
            raise ContractError(f"contract: controller: {name} must be above 0 and at most {most}, found {values}")
    if not 0.0 <= controller.joint_damping <= MOST_JOINT_DAMPING:
        raise ContractError(f"contract: controller: joint_damping is {controller.joint_damping}")


def _check_vector(what: str, values: list[float], length: int) -> None:
    if len(values) != length or not all(math.isfinite(value) for value in values):
        raise ContractError(f"contract: {what} must be {length} finite numbers, found {values}")
