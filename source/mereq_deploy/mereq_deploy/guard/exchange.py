# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Readings to the policy at its rate, and its answers, in time."""

from __future__ import annotations

import time

import numpy as np

from ..action import Target
from ..arm import Snapshot
from ..safety import Violation
from ..state import ArmState
from .links import Links
from .messages import Reading

DEADLINE = 0.5
"""Share of the policy's period within which its answer has to be here, from the moment at which the reading was due.
The simulated arm has it at once; a share counts what the policy's process, the guard and the machine are late."""


class Exchange:
    """Asks the policy and keeps its last target."""

    def __init__(self, links: Links, rate_hz: float, max_policy_time: float) -> None:
        """Begin with a reading at once."""
        self._links, self._period, self._max_policy_time = links, 1.0 / rate_hz, max_policy_time
        self.target: Target | None = None
        self._next = self._due = time.monotonic()
        self._asked: float | None = None
        self._missed = False
        self._forces: list[np.ndarray] = []
        self._reference: np.ndarray | None = None
        self._clamped_by: dict[str, None] = {}
        self._gap, self._looked = 0.0, time.monotonic()
        self._hand: str | None = None

    def answer(self, target: Target, now: float) -> None:
        """Take what the policy answered."""
        if self._asked is not None:
            self._missed = now - self._due > DEADLINE * self._period
        self.target, self._asked = target, None

    def look(self, snapshot: Snapshot, now: float) -> None:
        """Take what was read; pass it on when it is time.

        Raises:
            Violation: The policy takes too long.
        """
        self._forces.append(snapshot.measured.force)
        self._gap, self._looked = max(self._gap, now - self._looked), now
        self._hand = snapshot.hand_failure or self._hand
        if self._asked is not None:
            if now - self._asked > self._max_policy_time:
                raise Violation(
                    f"the policy has not answered for {now - self._asked:.3f} s, at most {self._max_policy_time} s are"
                    " allowed"
                )
        elif now >= self._next:
            measured = snapshot.measured
            arm = ArmState(
                measured.tool_position,
                snapshot.tool_velocity,
                measured.hand_orientation,
                np.mean(self._forces, axis=0),
                snapshot.finger_opening,
                snapshot.is_gripping,
            )
            self._links.say(
                Reading(
                    *(now, snapshot.clock, arm, measured, self._reference, tuple(self._clamped_by)),
                    gap=self._gap,
                    hand=self._hand,
                    missed=self._missed,
                )
            )
            self._asked, self._missed, self._forces, self._clamped_by = now, False, [], {}
            self._gap, self._hand = 0.0, None
            self._due = self._next
            self._next = max(self._next + self._period, now)

    def sent(self, reference: np.ndarray, clamped_by: tuple[str, ...]) -> None:
        """Remember what was commanded, for the next reading."""
        self._reference = reference
        self._clamped_by.update(dict.fromkeys(clamped_by))
