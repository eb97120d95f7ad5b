# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Who supervises which robot: at most one person holds a robot, in one tab of one browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from .control import Control, Hello

LATE_S = 0.15
"""Age of the last message from which the person is taken to be gone [s]. The page sends one every 33 ms; with a step of
0.05 s and two of release the robot is back under its policy within 0.3 s."""

LOST_S = 1.0
"""Silence from which their connection is taken to be lost, though nobody has said so [s]: a cable that is drawn does
not say good-bye."""

KEPT_S = 20.0
"""Time for which a seat is kept for a person whose connection broke [s]."""


class SeatError(ValueError):
    """A seat cannot be had. The text is for the person."""

    def __init__(self, text: str, is_elsewhere: bool = False) -> None:
        """Say why.

        Args:
            text: For the person.
            is_elsewhere: Whether it is their own, in another tab, which they can give up.
        """
        super().__init__(text)
        self.is_elsewhere = is_elsewhere


@dataclass
class _Seat:
    person: Hello
    connection: object | None
    """Whatever stands for the tab; None when it is gone."""

    heard_at: float
    """When it last spoke [s]; of a broken connection, when it broke."""

    control: Control | None = None
    """What the hands did last; None before it has said so."""

    steered_at: float = 0.0
    """When it said so [s]."""


@dataclass(frozen=True)
class SeatState:
    """A seat, as the loop of the robots sees it."""

    person: Hello | None
    """Who holds the robot; None if nobody does."""

    control: Control | None
    """What they do; None if they were not heard of for too long."""

    is_connected: bool
    """Whether their tab is there, as far as one can tell."""


class Seats:
    """Of all robots; used by the server's thread and by the robots'."""

    def __init__(self, num_robots: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nobody.

        Args:
            num_robots: Robots that can be supervised.
            clock: Tells the time [s].
        """
        self._seats: list[_Seat | None] = [None] * num_robots
        self._clock = clock
        self._lock = threading.Lock()

    @property
    def num_robots(self) -> int:
        """Robots that can be supervised."""
        return len(self._seats)

    def take(self, robot: int, connection: object, person: Hello, elsewhere: bool = False) -> None:
        """Give a robot to a person, who leaves any other.

        Args:
            robot: Which.
            connection: Stands for the tab.
            person: Who they are.
            elsewhere: Whether they may be holding it in another tab, which loses it.

        Raises:
            SeatError: Another person holds it, or the same one in another tab.
        """
        if not 0 <= robot < len(self._seats):
            raise SeatError(f"There is no robot {robot + 1}.")
        with self._lock:
            seat = self._seats[robot]
            if seat is not None and seat.connection is not connection:
                is_same = seat.person.key == person.key
                if not is_same and self._is_kept(seat):
                    raise SeatError(f"Robot {robot + 1} is supervised by {seat.person.person}.")
                is_same_tab = is_same and person.tab != "" and seat.person.tab == person.tab
                if is_same and not is_same_tab and self._is_connected(seat) and not elsewhere:
                    raise SeatError(f"You hold robot {robot + 1} in another tab.", is_elsewhere=True)
            self._leave(connection)
            self._seats[robot] = _Seat(person, connection, self._clock())

    def _is_connected(self, seat: _Seat) -> bool:
        return seat.connection is not None and self._clock() - seat.heard_at < LOST_S

    def _is_kept(self, seat: _Seat) -> bool:
        return self._clock() - seat.heard_at < KEPT_S

    def leave(self, connection: object) -> None:
        """Give up whatever a tab holds."""
        with self._lock:
            self._leave(connection)

    def _leave(self, connection: object) -> None:
        self._seats = [None if seat and seat.connection is connection else seat for seat in self._seats]

    def lose(self, connection: object) -> None:
        """Note that a tab is gone; its seat is kept for its person for a while."""
        with self._lock:
            for seat in self._seats:
                if seat is not None and seat.connection is connection:
                    seat.connection, seat.control, seat.heard_at = None, None, self._clock()

    def steer(self, connection: object, control: Control) -> bool:
        """Take in what a tab says of its person's hands, and return whether it holds a robot."""
        return self._hear(connection, control)

    def hear(self, connection: object) -> bool:
        """Take in that a tab is there, though its person may see nothing yet; returns whether it holds a robot."""
        return self._hear(connection, None)

    def _hear(self, connection: object, control: Control | None) -> bool:
        with self._lock:
            for seat in self._seats:
                if seat is not None and seat.connection is connection:
                    seat.heard_at = self._clock()
                    if control is not None:
                        seat.control, seat.steered_at = control, seat.heard_at
                    return True
        return False

    def robot_of(self, connection: object) -> int | None:
        """Return the robot that a tab holds."""
        with self._lock:
            held = (robot for robot, seat in enumerate(self._seats) if seat and seat.connection is connection)
            return next(held, None)

    def state(self, robot: int) -> SeatState:
        """Return who holds a robot, and what they do."""
        with self._lock:
            seat = self._seats[robot]
            if seat is None:
                return SeatState(None, None, False)
            if not self._is_connected(seat):
                return SeatState(seat.person if self._is_kept(seat) else None, None, False)
            is_late = self._clock() - seat.steered_at >= LATE_S
            return SeatState(seat.person, None if is_late else seat.control, True)

    def names(self) -> list[str | None]:
        """Return who holds each robot."""
        return [
            None if (person := self.state(robot).person) is None else person.person for robot in range(len(self._seats))
        ]
