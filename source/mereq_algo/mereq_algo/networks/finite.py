# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Numbers that are not finite are neither written to a checkpoint nor read from one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError


class NotFiniteError(UserError):
    """Training diverged: a checkpoint would hold numbers that are not finite. The message is one line."""


def check_finite(state: Any, file: Path | None = None) -> None:
    """Refuse a state with a number that is not finite.

    Args:
        state: Nested dictionaries and lists of tensors and plain values.
        file: Where it was to be written, for the message; nothing was to be written when left out.

    Raises:
        NotFiniteError: Names the first such tensor.
    """
    for path, value in numbers_of(state):
        num_bad = num_not_finite(value)
        if num_bad:
            total = value.numel() if isinstance(value, torch.Tensor) else 1
            where = "" if file is None else f"; {file} is not written"
            raise NotFiniteError(
                f"training diverged: {num_bad} of {total} numbers of {path} are not finite (lower the learning rate, or"
                f" look for extreme values in what it learned from){where}"
            )


def numbers_of(state: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor | float]]:
    """Yield the tensors and floating-point numbers of nested dictionaries and lists, by their paths."""
    if isinstance(state, dict):
        for name, value in state.items():
            yield from numbers_of(value, f"{path}.{name}" if path else str(name))
    elif isinstance(state, (list, tuple)):
        for index, value in enumerate(state):
            yield from numbers_of(value, f"{path}[{index}]")
    elif isinstance(state, (torch.Tensor, float)):
        yield path, state


def num_not_finite(value: torch.Tensor | float) -> int:
    """Return how many numbers are infinite or NaN."""
    if isinstance(value, torch.Tensor):
        return int((~torch.isfinite(value)).sum()) if value.is_floating_point() else 0
    return int(not math.isfinite(value))
