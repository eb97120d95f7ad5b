# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the keyboard's process says and hears. Times are of the monotonic clock, which all processes share."""

from __future__ import annotations

from typing import NamedTuple

SIGN_PERIOD = 0.02
"""How often a process that takes part in a motion says that it is alive, or that the key is held [s]."""

CONFIRM_TIMEOUT = 0.2
"""Time in which the guard has to confirm that it stops the arm; then it is ended [s]."""


class Watching(NamedTuple):
    """To the program: the keys are watched from now on."""


class Held(NamedTuple):
    """The dead-man key is down. To the guard every :obj:`SIGN_PERIOD`, to the program once."""

    time: float
    """When the key was last seen to be held [s]."""


class StopKey(NamedTuple):
    """Somebody let go of the key, or pressed another, or the keyboard cannot be read."""

    reason: str
    time: float
    """When it was found [s]."""


class GuardIs(NamedTuple):
    """From the guard: its process."""

    pid: int


class StopConfirmed(NamedTuple):
    """From the guard: it stops the arm, or the arm does not move."""

    time: float
