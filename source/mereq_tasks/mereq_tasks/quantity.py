# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What an observation measures, in a form that a program can read.

Isaac Lab's own descriptors of inputs and outputs are deprecated and name no range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Term = TypeVar("Term", bound=Callable[..., Any])


@dataclass(frozen=True)
class Quantity:
    """Unit, frame and range of what a function of observation returns; a sequence where components differ."""

    unit: str | tuple[str, ...]
    """Unit; ``1`` for a plain number."""

    frame: str
    """Axes along which it is given, and what it counts from; ``none`` for what has no direction."""

    low: float | tuple[float, ...]
    """Least value that the task can show, before the configuration clips it."""

    high: float | tuple[float, ...]
    """Greatest value."""


def measures(
    unit: str | tuple[str, ...], frame: str, low: float | tuple[float, ...], high: float | tuple[float, ...]
) -> Callable[[Term], Term]:
    """Says what a function of observation measures; see :class:`Quantity`. Whoever drives an arm has to know."""

    def attach(term: Term) -> Term:
        term.quantity = Quantity(unit, frame, low, high)  # type: ignore[attr-defined]  # functions hold what one likes
        return term

    return attach
