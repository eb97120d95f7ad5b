# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The ink on the board: nothing watches it, so it is reckoned from the measured force and the place of the felt."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..contract_bounds import ContractError, check_count, check_range, check_vector
from ..files import content_of
from ..state import MissingStateError

LAW = {
    "footprint": 2,
    "centre_x": 2,
    "centre_y": 2,
    "stroke_length": 2,
    "stroke_heading": 2,
    "stroke_curvature": 2,
    "touch_force": 0,
    "erase_force": 0,
    "full_erase_force": 0,
    "wear_rate": 0,
    "clean_ink": 0,
    "force_limit": 0,
}
"""What a contract says of marks beside their number: how many numbers each is, 0 for a single one."""


def check_law(parameters: Any) -> None:
    """Refuse constants by which no ink could be reckoned.

    Raises:
        ContractError: One is missing, no number, or out of order.
    """
    if not isinstance(parameters, dict):
        raise ContractError("contract: the policy sees marks, and parameters.marks is missing")
    check_count("parameters.marks: num_marks", parameters.get("num_marks"), 1000)
    for name, length in LAW.items():
        what, value = f"parameters.marks: {name}", parameters.get(name)
        if length:
            check_vector(what, value, length)
        else:
            check_range(what, value, 0.0, 1000.0)
    for name in ("centre_x", "centre_y", "stroke_length", "stroke_heading", "stroke_curvature"):
        if parameters[name][0] > parameters[name][1]:
            raise ContractError(f"contract: parameters.marks: {name} goes from {parameters[name]}")
    if not parameters["erase_force"] < parameters["full_erase_force"]:
        raise ContractError("contract: parameters.marks: erase_force must be below full_erase_force")


class Marks:
    """A stroke of marks whose ink comes off under the pressed felt, by the law and the numbers of the simulated task.

    The numbers are the contract's ``parameters["marks"]``.
    """

    def __init__(self, position: np.ndarray, parameters: Mapping[str, Any], touched: np.ndarray | None = None) -> None:
        """Begin an episode.

        Args:
            position: Where the marks are, along the axes of the base [m]. Shape: (num_marks, 2)
            parameters: How ink comes off.
            touched: Which marks count as touched already; none when left out. Shape: (num_marks,)

        Raises:
            MissingStateError: There are not as many marks as the policy was trained with.
        """
        if position.shape != (parameters["num_marks"], 2):
            raise MissingStateError(
                f"the policy takes {parameters['num_marks']} marks of 2 numbers, found {position.shape}"
            )
        self.position = position
        self.parameters = parameters
        self.ink = np.ones(len(position))
        self.touched = np.zeros(len(position), dtype=bool) if touched is None else touched.copy()
        self.normal_force = 0.0
        self.steps = 0
        """Steps so far."""
        self.steps_over_limit = 0
        """Those in which the force was over the person's limit."""

    @staticmethod
    def draw(parameters: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        """Return a bent stroke at a random place and heading, by the law of the simulated task.

        Args:
            parameters: Ranges of the stroke.
            rng: Where chance comes from.

        Returns:
            The marks [m]. Shape: (num_marks, 2)
        """
        along = np.linspace(-0.5, 0.5, parameters["num_marks"]) * rng.uniform(*parameters["stroke_length"])
        heading, curvature = rng.uniform(*parameters["stroke_heading"]), rng.uniform(*parameters["stroke_curvature"])
        across = 0.5 * curvature * along**2
        x = rng.uniform(*parameters["centre_x"]) + along * np.cos(heading) - across * np.sin(heading)
        y = rng.uniform(*parameters["centre_y"]) + along * np.sin(heading) + across * np.cos(heading)
        return np.stack([x, y], axis=-1)

    @staticmethod
    def load(file: Path) -> np.ndarray:
        """Read marks from a file: x and y [m] along the axes of the base, a mark a line.

        Raises:
            MissingStateError: It cannot be read.
        """
        try:
            with warnings.catch_warnings(action="ignore"):  # an empty file is told by its shape
                text = content_of(file).decode("utf-8-sig")
                return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
        except (EOFError, OSError, ValueError) as error:
            raise MissingStateError(f"marks cannot be read: {file} ({error})") from error

    @staticmethod
    def drawn(parameters: Mapping[str, Any], rng: np.random.Generator) -> Marks:
        """Return a stroke of :meth:`draw`'s."""
        return Marks(Marks.draw(parameters, rng), parameters)

    def step(self, tool_position: np.ndarray, normal_force: float, duration: float) -> None:
        """Bring touches and ink up to date.

        Args:
            tool_position: Where the felt is now [m]. Shape: (3,)
            normal_force: Force on it along the board's normal, mean over the step [N].
            duration: Length of the step [s].
        """
        law = self.parameters
        self.normal_force = max(normal_force, 0.0)
        offset = np.abs(self.position - tool_position[:2])
        covered = (offset <= np.asarray(law["footprint"]) / 2).all(axis=1)
        if self.normal_force > law["touch_force"]:
            self.touched |= covered
        pressing = (self.normal_force - law["erase_force"]) / (law["full_erase_force"] - law["erase_force"])
        ink = self.ink - law["wear_rate"] * duration * np.clip(pressing, 0.0, 1.0) * covered
        self.ink = np.where(ink < law["clean_ink"], 0.0, ink)
        self.steps += 1
        self.steps_over_limit += self.normal_force > law["force_limit"]

    @property
    def ink_removed(self) -> float:
        """Share of all ink that is gone."""
        return 1.0 - float(self.ink.mean())

    @property
    def over_force_limit(self) -> float:
        """Share of the time over the person's limit of force."""
        return self.steps_over_limit / max(self.steps, 1)

    def nearest(self, tool_position: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Return the nearest of the wanted marks from the tool [m], and 1; zeros if there is none. Shape: (3,)."""
        if not wanted.any():
            return np.zeros(3)
        offset = self.position - tool_position[:2]
        distance = np.where(wanted, np.linalg.norm(offset, axis=1), np.inf)
        return np.append(offset[distance.argmin()], 1.0)
