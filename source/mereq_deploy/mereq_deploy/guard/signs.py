# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Signs of life that the guard demands in every motion: of the policy's process, and of the dead-man key."""

from __future__ import annotations

import time

from ..safety import Violation

SIGN_TIMEOUT = 0.15
"""Age of the last sign, at most [s]. Signs come every 0.02 s."""

POLICY, HOLD = "the policy's process has given no sign of life", "the dead-man key has not been held"


class SignsOfLife:
    """The last sign of each that has to give some. What counts is when a sign was given, not when it came."""

    def __init__(self, needs_hold: bool) -> None:
        """Begin without any sign."""
        self._last: dict[str, float] = dict.fromkeys((POLICY, HOLD) if needs_hold else (POLICY,), 0.0)
        self._since = time.monotonic()

    def begin(self) -> None:
        """Begin a motion: the first sign may be on its way, for as long as a sign counts."""
        self._since = time.monotonic()

    def note(self, who: str, given: float) -> None:
        """Take a sign that was given at a time [s]."""
        self._last[who] = max(self._last.get(who, 0.0), given)

    def check(self) -> None:
        """Look whether all are there.

        Raises:
            Violation: One is not.
        """
        now = time.monotonic()
        for who, last in self._last.items():
            # A motion begins with a quarter of a second in which the arm is only looked at.
            age = now - max(last, self._since)
            if age > SIGN_TIMEOUT:
                raise Violation(f"{who} for {age:.2f} s, at most {SIGN_TIMEOUT} s are allowed")
