# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Which numbers a contract may have, and how they are checked. A check raises; it never mends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .errors import UserError

MOST_STIFFNESS = (3000.0, 300.0)
"""Translational [N/m] and rotational [N m/rad]. Source: range of libfranka's Cartesian impedance."""

MOST_DAMPING = (500.0, 50.0)
"""The same for damping [N s/m, N m s/rad]. Source: ours, more than critical damping of the stiffest spring."""

LEAST_DAMPING_RATIO = 0.3
"""Of the spring with :obj:`MOVED` at its end. Source: ours; less lets the tool swing on for seconds."""

MOVED = (3.0, 0.1)
"""What a spring at the hand moves: mass [kg] and inertia [kg m²]. Source: ours, the FR3 near its ready pose."""

MOST_JOINT_DAMPING = 20.0
"""[N m s/rad]. Source: ours, half of libfranka's default joint damping."""

POLICY_RATE = (5.0, 100.0)
"""Rates of a policy [Hz]. Source: ours; below, the arm would follow one answer for more than 0.2 s."""

CONTROLLER_RATE = (50.0, 1000.0)
"""Rates of the controller that the policy was trained with [Hz]. Source: ours, up to libfranka's."""

LONGEST_EPISODE = 3600.0
"""[s]. Source: ours, as the longest motion of the safety layer."""

MOST_NUMBER = 1e5
"""Greatest size of any number in a list [any unit]. Source: ours; whatever is larger means something else."""

LEAST_SCALE, MOST_SCALE = 1e-3, 1e3
"""Of an observation. Source: ours; shipped policies have 0.1 to 20."""

MOST_SEEN = 100.0
"""Greatest size of a number that a policy may be said to see, scaled. Source: ours; shipped policies have at most 9,
and a range that is too wide lets any reading pass."""

LONGEST_NAME = 100
"""Characters of a name that becomes part of a file's. Source: ours; file systems take 255 bytes."""

TOOL_ASIDE, TOOL_AHEAD, TOOL_LENGTH = 0.15, 0.30, 0.15
"""Greatest distance of a tool's points from the hand's z axis, along it, and from each other [m]. Source: ours."""

LEAST_DOWN = 0.5
"""Least cosine between the hand's z axis and straight down. Source: ours, a tilt of 60 degrees."""


class ContractError(UserError):
    """A contract is missing, damaged, of another version, or does not fit its files. The message is one line."""


def check_vector(what: str, values: Any, length: int) -> list[float]:
    """Return a list of finite numbers of a length.

    Raises:
        ContractError: It is something else.
    """
    if (
        not isinstance(values, (list, tuple))
        or len(values) != length
        or not all(is_number(value) and -MOST_NUMBER <= value <= MOST_NUMBER for value in values)
    ):
        raise ContractError(f"contract: {what} must be {length} finite numbers, found {values}")
    return list(values)


def check_range(what: str, value: Any, low: float, high: float, unit: str = "") -> float:
    """Return a number that is within bounds, the bounds included.

    Raises:
        ContractError: It is outside, or no number.
    """
    if not is_number(value) or not low <= value <= high:  # false for NaN as well
        raise ContractError(
            f"contract: {what} is {value}{unit and ' ' + unit}; it must be {low:g} to {high:g}{unit and ' ' + unit}"
        )
    return value


def check_count(what: str, value: Any, most: int = 10_000) -> int:
    """Return a whole number above 0.

    Raises:
        ContractError: It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ContractError(f"contract: {what} is {value!r}; it must be a whole number from 1 to {most}")
    return value


def check_equal(what: str, value: Any, allowed: Any) -> None:
    """Refuse what this program would understand as something else.

    Raises:
        ContractError: The value differs.
    """
    if value != allowed or isinstance(value, bool) != isinstance(allowed, bool):
        raise ContractError(f"contract: {what} is {value!r}; this program knows {allowed!r} alone")


def check_text(what: str, *values: Any) -> None:
    """Refuse anything but text on one line, all of whose characters can be printed: it goes into messages.

    Raises:
        ContractError: A value is none.
    """
    for value in values:
        if not isinstance(value, str):
            raise ContractError(f"contract: {what} is {value!r}; it must be text")
        if not value.isprintable():
            raise ContractError(f"contract: {what} is {value!r}; its characters must be ones that can be printed")


def check_file_name(what: str, value: Any) -> None:
    """Refuse text that cannot name a file in a given folder, or would name one in another.

    Raises:
        ContractError: It cannot.
    """
    check_text(what, value)
    if not value.strip() or len(value) > LONGEST_NAME or value.startswith(".") or "/" in value:
        raise ContractError(
            f"contract: {what} is {value!r}; it must be a name of at most {LONGEST_NAME} characters, without a slash,"
            " that begins with no dot"
        )


def check_box(what: str, low: Any, high: Any, length: int = 3) -> None:
    """Refuse a box that has no inside.

    Raises:
        ContractError: It has none, or a corner is no vector of this length.
    """
    corners = (check_vector(f"{what}_low", low, length), check_vector(f"{what}_high", high, length))
    if any(a >= b for a, b in zip(*corners, strict=True)):
        raise ContractError(f"contract: {what} is empty: it goes from {low} to {high}")


def check_unit_quaternion(what: str, values: Any) -> Sequence[float]:
    """Return a rotation.

    Raises:
        ContractError: It is none, or not of length 1.
    """
    if abs(math.hypot(*check_vector(what, values, 4)) - 1.0) > 1e-4:
        raise ContractError(f"contract: {what} is no unit quaternion, found {values}")
    return values


def is_number(value: Any) -> bool:
    """Return whether this is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
