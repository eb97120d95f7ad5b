# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Only one person holds a robot, in one tab, and only while they are heard of."""

from __future__ import annotations

import pytest

from mereq_lab.live import Control, Hello, SeatError, Seats
from mereq_lab.live.seats import KEPT_S, LATE_S, LOST_S

ADA, BOB = Hello("Ada", "a"), Hello("Bob", "b")
HELD = Control(engaged=True)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def seats(clock):
    return Seats(2, clock)


def test_a_robot_is_held_by_one_person(seats):
    seats.take(0, "tab 1", ADA)
    with pytest.raises(SeatError, match="supervised by Ada"):
        seats.take(0, "tab 2", BOB)
    assert not seats.steer("tab 2", HELD)
    assert seats.state(0).person == ADA and seats.names() == ["Ada", None]
    with pytest.raises(SeatError, match="no robot 3"):
        seats.take(2, "tab 2", BOB)


def test_two_tabs_cannot_both_steer(seats):
    seats.take(0, "tab 1", ADA)
    with pytest.raises(SeatError, match="another tab") as refusal:
        seats.take(0, "tab 2", ADA)
    assert refusal.value.is_elsewhere
    seats.take(0, "tab 2", ADA, elsewhere=True)
    assert not seats.steer("tab 1", HELD) and seats.steer("tab 2", HELD)
    assert seats.robot_of("tab 1") is None and seats.robot_of("tab 2") == 0


def test_a_tab_that_connects_again_need_not_ask_itself(seats):
    """The network may have told it, and not yet the server, that the old connection is gone."""
    tab = Hello("Ada", "a", "tab 1")
    seats.take(0, "old", tab)
    seats.take(0, "new", tab)
    assert not seats.steer("old", HELD) and seats.steer("new", HELD)
    with pytest.raises(SeatError, match="another tab"):
        seats.take(0, "other", Hello("Ada", "a", "tab 2"))
    with pytest.raises(SeatError, match="supervised by Ada"):
        seats.take(0, "other", Hello("Bob", "b", "tab 1"))


def test_a_person_holds_one_robot_at_a_time(seats):
    seats.take(0, "tab 1", ADA)
    seats.take(1, "tab 1", ADA)
    assert seats.names() == [None, "Ada"]
    seats.leave("tab 1")
    assert seats.names() == [None, None]


def test_silence_is_nobody(seats, clock):
    seats.take(0, "tab 1", ADA)
    seats.steer("tab 1", HELD)
    clock.now += LATE_S - 0.01
    assert seats.state(0).control == HELD
    clock.now += 0.02
    state = seats.state(0)
    assert state.control is None and state.is_connected and state.person == ADA
    seats.steer("tab 1", HELD)
    assert seats.state(0).control == HELD, "and they can come back"


def test_who_is_there_and_sees_nothing_yet_does_not_watch(seats, clock):
    seats.take(0, "tab 1", ADA)
    assert seats.state(0).control is None and seats.state(0).is_connected
    for _ in range(10):
        clock.now += 0.5 * LOST_S
        assert seats.hear("tab 1")
    assert seats.state(0).is_connected and seats.state(0).control is None
    seats.steer("tab 1", HELD)
    assert seats.state(0).control == HELD


def test_long_silence_is_a_lost_connection(seats, clock):
    """Nobody says so where a cable is drawn: the same person comes back in a new tab and need not ask."""
    seats.take(0, "tab 1", ADA)
    clock.now += LOST_S + 0.01
    state = seats.state(0)
    assert state.person == ADA and not state.is_connected
    with pytest.raises(SeatError):
        seats.take(0, "tab 2", BOB)
    seats.take(0, "tab 3", ADA)
    assert seats.state(0).is_connected and not seats.steer("tab 1", HELD)


def test_a_lost_seat_is_kept_for_its_person_for_a_while(seats, clock):
    seats.take(0, "tab 1", ADA)
    seats.steer("tab 1", HELD)
    seats.lose("tab 1")
    state = seats.state(0)
    assert state.person == ADA and state.control is None and not state.is_connected
    with pytest.raises(SeatError):
        seats.take(0, "tab 2", BOB)
    seats.take(0, "tab 3", ADA)
    assert seats.state(0).is_connected
    seats.lose("tab 3")
    clock.now += KEPT_S + 0.1
    assert seats.state(0).person is None
    seats.take(0, "tab 2", BOB)
    assert seats.names() == ["Bob", None]
