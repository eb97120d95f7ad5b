# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Values of files that come from anywhere: JSON and YAML hold numbers of any size, infinity, and lists of any depth."""

from __future__ import annotations

import math
from typing import Any


def is_finite_number(value: Any) -> bool:
    """Return whether a value is a number, and neither infinite nor too large for a floating-point number.

    True and false are no numbers here. ``math.isfinite`` raises OverflowError where a whole number is too large.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def is_nested_deeply(value: Any, most: int = 32) -> bool:
    """Return whether lists and dictionaries are nested deeper than ``most``.

    JSON is read to a depth at which copying it, writing it or printing it raises RecursionError.
    """
    level = [value]
    for _ in range(most + 1):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, (list, tuple)):
                inner += item
        if not inner:
            return False
        level = inner
    return True


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number from 0 on that fits into 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
