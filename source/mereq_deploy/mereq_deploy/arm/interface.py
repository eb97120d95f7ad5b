# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the guard needs of an arm. A client for another arm implements :class:`Arm`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import UserError
from ..safety import AT_REST, Command, Measured

__all__ = ["AT_REST", "Arm", "ArmError", "Snapshot"]


class ArmError(UserError):
    """The arm cannot be reached, refuses, or stopped by itself. The message is one line."""


@dataclass(frozen=True)
class Snapshot:
    """The arm at one moment."""

    measured: Measured
    """What the safety layer looks at; its ``age`` is the time since the arm's own clock last went on."""

    tool_velocity: np.ndarray
    """Velocity of the contract's ``velocity_point``. Shape: (3,) [m/s]"""

    clock: float
    """The arm's own clock [s]."""

    finger_opening: float = 0.0
    """Distance between the fingertips [m]."""

    is_gripping: bool = False
    """Whether the fingers hold something."""

    hand_failure: str | None = None
    """What the hand failed to do since the last look, as to grip something."""


class Arm(Protocol):
    """An arm; every method may raise :class:`ArmError`."""

    what_was_set: dict[str, object]
    """What connecting set on the arm, for the log: masses, frames, limits of its own reflex."""

    def snapshot(self) -> Snapshot:
        """Read the arm; does not wait for it."""
        ...

    def begin_home(self, speed: float) -> None:
        """Begin to move the joints to the contract's home pose, with a share of the full speed."""
        ...

    def is_home(self, timeout: float) -> bool:
        """Lead the arm there for at most so long [s], again and again; returns whether the way is over."""
        ...

    def end_home(self) -> None:
        """Let go of the arm at home, and wait until it has."""
        ...

    def follow(self, max_step: float) -> None:
        """Begin to hold where the arm is with the contract's gains; targets further than a step [m] pull no harder."""
        ...

    def send(self, command: Command) -> None:
        """Follow this now. Only a command of the safety layer gets here."""
        ...

    def hold(self) -> None:
        """Ask for where the arm is now, at once: what pulls it is let go. :meth:`stop` follows."""
        ...

    def stop(self) -> None:
        """Bring the arm to rest, whatever it does."""
        ...
