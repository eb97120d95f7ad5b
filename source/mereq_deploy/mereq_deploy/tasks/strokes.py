# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One stroke after the other: somebody draws a new one while the arm goes on wiping."""

from __future__ import annotations

from collections.abc import Callable

from .marks import Marks


class Strokes:
    """The marks on the board, and those that were there before."""

    def __init__(self, first: Marks, again: Callable[[], Marks] | None = None, steps_each: int = 0) -> None:
        """Begin with a stroke.

        Args:
            first: The stroke.
            again: Draws the next one; left out, the first stays.
            steps_each: Steps of the policy after which it does.
        """
        self.now = first
        self._before: list[Marks] = []
        self._again, self._steps_each = again, steps_each

    def next_at(self, step: int) -> Marks | None:
        """Return the new stroke that is drawn before a step, if one is."""
        if self._again is None or step == 0 or step % self._steps_each:
            return None
        self._before.append(self.now)
        self.now = self._again()
        return self.now

    @property
    def ink_removed(self) -> float:
        """Share of the ink of all strokes that is gone; each counts alike."""
        return sum(marks.ink_removed for marks in self._all) / len(self._all)

    @property
    def over_force_limit(self) -> float:
        """Share of the time over the person's limit of force."""
        return sum(marks.steps_over_limit for marks in self._all) / max(1, sum(marks.steps for marks in self._all))

    @property
    def num_strokes(self) -> int:
        """Number of strokes so far."""
        return len(self._all)

    @property
    def _all(self) -> list[Marks]:
        return [*self._before, self.now]
