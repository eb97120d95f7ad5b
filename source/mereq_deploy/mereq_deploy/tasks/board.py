# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The board that a policy wipes: how high it is on the table in front of this arm, and where marks may be on it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..contract import Contract
from ..state import MissingStateError

MOST_SHIFT = 0.1
"""How much higher or lower than in training a board may be [m]: the arm's gains act alike there."""

HOME_CLEARANCE = 0.02
"""Least distance of the tool from the board at home [m]: a spring leads it there, and sags by up to 1 cm."""

LEAST_LENGTH, MOST_LENGTH = 0.5, 1.5
"""Length of a stroke, as a share of the shortest and the longest in training."""


class PlaceError(MissingStateError):
    """A board or marks are where they cannot be. The message is one line."""


def trained_height(contract: Contract) -> float | None:
    """Return the height of the board's surface that the policy was trained with [m]; None if it knows of no board."""
    if "marks" not in contract.parameters:
        return None
    places = [term for term in contract.observation if term.kind == "tool_position"]
    return float(places[0].parameters["origin"][2]) if places else None


def on_board(contract: Contract, height: float) -> Contract:
    """Return the contract for a board at another height: what the policy sees and asks for is as much higher.

    Args:
        contract: Of a policy that wipes.
        height: Of the board's surface above the arm's base [m].

    Raises:
        PlaceError: The board is too far from where it was in training.
    """
    trained = trained_height(contract)
    if trained is None:
        raise PlaceError(f"the policy of {contract.task} knows of no board")
    shift = height - trained
    if not abs(shift) <= MOST_SHIFT:  # true for NaN as well
        raise PlaceError(
            f"the board is {height:g} m above the arm's base; the policy was trained with {trained:g} m, and at most"
            f" {MOST_SHIFT} m more or less is allowed (in metres?)"
        )
    observation = [
        replace(term, parameters={**term.parameters, "origin": _raised(term.parameters["origin"], shift)})
        if "origin" in term.parameters
        else term
        for term in contract.observation
    ]
    step = contract.tool_step
    raised = replace(
        step, workspace_low=_raised(step.workspace_low, shift), workspace_high=_raised(step.workspace_high, shift)
    )
    return replace(contract, observation=observation, action=[raised, *contract.action[1:]])


def check_home_above(contract: Contract, height: float) -> None:
    """Refuse a board into which the arm would go home.

    Args:
        contract: Home, and the tool.
        height: Of the board's surface above the arm's base [m].

    Raises:
        PlaceError: The tool would touch it, or nearly.
    """
    home = float(contract.home_tool[2])
    if home < height + HOME_CLEARANCE:
        raise PlaceError(
            f"at home the tool is {home:.3f} m high, and the board's surface {height:g} m: at least {HOME_CLEARANCE} m"
            " between them is needed; put the board lower"
        )


def _raised(place: list[float], shift: float) -> list[float]:
    return [place[0], place[1], place[2] + shift]


def check_marks(position: np.ndarray, contract: Contract) -> None:
    """Refuse marks that the policy cannot have been trained with, before anything moves.

    Args:
        position: Along the axes of the base [m]. Shape: (num_marks, 2)
        contract: Of a policy that wipes.

    Raises:
        PlaceError: They are no numbers, off the part of the board that was wiped in training, or no stroke.
    """
    law, step = contract.parameters["marks"], contract.tool_step
    if position.shape != (law["num_marks"], 2):
        raise PlaceError(f"the policy takes {law['num_marks']} marks of 2 numbers, found {position.shape}")
    if not np.isfinite(position).all():
        raise PlaceError(f"mark {_first(~np.isfinite(position).all(axis=1))} is {_bad(position)}, which is no place")
    half = law["stroke_length"][1] / 2
    aside = half + 0.5 * max(map(abs, law["stroke_curvature"])) * half**2
    low = np.array([max(law[f"centre_{axis}"][0] - aside, step.workspace_low[i]) for i, axis in enumerate("xy")])
    high = np.array([min(law[f"centre_{axis}"][1] + aside, step.workspace_high[i]) for i, axis in enumerate("xy")])
    outside = ((position < low) | (position > high)).any(axis=1)
    if outside.any():
        x, y = position[outside][0]
        raise PlaceError(
            f"mark {_first(outside)} is at ({x:g}, {y:g}) m; the policy wipes x {low[0]:.2f} to {high[0]:.2f} and"
            f" y {low[1]:.2f} to {high[1]:.2f} m{_hint(position, low, high)}"
        )
    length = float(np.linalg.norm(np.diff(position, axis=0), axis=1).sum())
    shortest, longest = LEAST_LENGTH * law["stroke_length"][0], MOST_LENGTH * law["stroke_length"][1]
    if not shortest <= length <= longest:
        raise PlaceError(
            f"the marks, in their order, make a stroke {length:.3f} m long; the policy wipes {shortest:.2f} to"
            f" {longest:.2f} m"
        )


def _hint(position: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    def fits(places: np.ndarray) -> bool:
        return bool(((places >= low) & (places <= high)).all())

    if fits(position / 1000.0) or fits(position / 100.0):
        return ": give metres"
    if fits(position[:, ::-1]):
        return ": are x and y swapped?"
    return ": are they in metres, along the axes of the arm's base?" if math.hypot(*position[0]) > 2.0 else ""


def _first(found: np.ndarray) -> int:
    return 1 + int(found.argmax())


def _bad(position: np.ndarray) -> str:
    return str(position[~np.isfinite(position).all(axis=1)][0].tolist())
