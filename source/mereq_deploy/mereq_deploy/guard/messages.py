# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the two processes say to each other. Times are of the machine's monotonic clock, which both share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..safety import Measured
from ..state import ArmState
from .looks import LookTimes


@dataclass(frozen=True)
class Settings:
    """What the guard needs beside address and contract."""

    speed: float
    """Share of the largest speed and acceleration."""

    dry_run: bool = False
    """Whether the arm is only read, and what would be commanded is only computed."""

    recover: bool = False
    """Whether errors that an earlier reflex left are cleared first: a person has looked at the arm."""

    board_height: float | None = None
    """Height of a board's surface, through which the way home must not lead [m]; None where there is no board."""

    needs_hold: bool = False
    """Whether the arm moves only while a person holds the dead-man key."""


# --- from the policy's process ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alive:
    """The policy's process runs; fifty times a second."""

    time: float
    """When it said so [s]."""


@dataclass(frozen=True)
class GoHome:
    """Move the joints to the home pose."""


@dataclass(frozen=True)
class Follow:
    """Begin a motion: hold where the arm is, send readings, follow the targets that answer them."""


@dataclass(frozen=True)
class Stop:
    """Bring the arm to rest."""

    reason: str
    since: float
    """When its cause was found [s]."""

    is_regular: bool = False
    """Whether that is how the motion was to end."""


# --- from the guard ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """The guard is connected, or the arm is home."""

    notes: dict[str, object] = field(default_factory=dict)
    """What a log should know: what was set on the arm, whether the guard runs in real time, how often it looked."""


@dataclass(frozen=True)
class Looked:
    """The guard looks at an arm that moves."""


@dataclass(frozen=True)
class Busy:
    """The guard waits for the arm."""

    timeout: float
    """For so long at the most; then the system ends it [s]."""


@dataclass(frozen=True)
class Stopping:
    """The guard has commanded a stop. :class:`Stopped` follows when the arm is at rest."""

    reason: str


@dataclass(frozen=True)
class Refused:
    """The arm cannot do what was asked. The guard ends."""

    message: str


@dataclass(frozen=True)
class Reading:
    """The arm when the policy is to decide."""

    time: float
    clock: float
    """The arm's own clock [s]."""

    arm: ArmState
    """For the policy; the force is the mean since the last reading."""

    measured: Measured
    reference: np.ndarray | None = None
    """Where the tool was asked to be last [m]. Shape: (3,)"""

    clamped_by: tuple[str, ...] = ()
    """Limits that held since the last reading."""

    gap: float = 0.0
    """Longest time between two looks of the guard since the last reading [s]."""

    hand: str | None = None
    """What the hand failed to do since the last reading."""

    missed: bool = False
    """Whether the answer to the last reading was here too late; see :obj:`~mereq_deploy.guard.exchange.DEADLINE`."""


@dataclass(frozen=True)
class Stopped:
    """The motion is over."""

    reason: str
    cause: float
    """When the guard found the cause, or the policy's process did [s]."""

    commanded: float
    """When the stop was commanded [s]."""

    at_rest: float | None
    """When no joint moved any more [s]; None if the arm does not tell."""

    is_regular: bool = False
    by_arm: bool = False
    """Whether the arm had stopped by itself: a reflex, or its connection is lost."""

    notes: tuple[str, ...] = field(default=())
    """What went wrong on the way."""

    measured: Measured | None = None
    """The arm as the guard saw it last before it stopped it."""

    looks: LookTimes | None = None
    """How often the guard looked; None where the guard itself is gone."""
