# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A takeover and a release without a jump: of the command's distance from where the robot is."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mereq_lab.live import ActionLayout, Control, Steering
from mereq_lab.live.steering import LOST_RELEASE_STEPS, MAX_CHANGE, RELEASE_STEPS

FULL = ActionLayout(turns=True, grips=True)


def held(*axes: float, gripper: str = "keep") -> Control:
    return Control(True, axes, gripper)  # type: ignore[arg-type]


def test_forward_is_where_the_person_looks():
    steering = Steering(FULL, heading=math.pi)
    for _ in range(4):
        is_person, action = steering.act(held(1.0, 0.5, -0.25, 0.75), torch.zeros(5))
    assert is_person
    torch.testing.assert_close(action, torch.tensor([-1.0, -0.5, -0.25, 0.75, 0.0]), atol=1e-6, rtol=0.0)


def test_hands_off_is_the_policy():
    steering = Steering(FULL)
    proposed = torch.tensor([0.3, -0.9, 0.1, 0.0, 1.0])
    for control in (None, Control()):
        is_person, action = steering.act(control, proposed)
        assert not is_person and torch.equal(action, proposed)


def test_a_takeover_begins_at_what_the_robot_did_and_the_grip_stays():
    steering = Steering(FULL)
    steering.act(Control(), torch.tensor([1.0, -1.0, 0.2, 0.0, -1.0]))
    is_person, action = steering.act(held(0.0, 0.0, 0.0, 0.0), torch.ones(5))
    assert is_person
    torch.testing.assert_close(action, torch.tensor([0.5, -0.5, 0.0, 0.0, -1.0]))
    _, action = steering.act(held(0.0, 0.0, 0.0, 0.0, gripper="open"), torch.ones(5))
    torch.testing.assert_close(action, torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0]))


def test_an_episode_that_begins_in_the_hands_begins_where_the_robot_is():
    steering = Steering(ActionLayout())
    _, action = steering.act(held(1.0, 0.0, 0.0, 0.0), -torch.ones(3))
    torch.testing.assert_close(action, torch.tensor([MAX_CHANGE, 0.0, 0.0]))


@pytest.mark.parametrize(("control", "most"), [(Control(), RELEASE_STEPS), (None, LOST_RELEASE_STEPS)])
def test_a_release_ends(control, most):
    """Also where the policy runs away from the hands: then in as many steps as are allowed, and not in one more."""
    steering = Steering(ActionLayout())
    steering.act(held(1.0, 0.0, 0.0, 0.0), torch.zeros(3))
    steering.act(held(1.0, 0.0, 0.0, 0.0), torch.zeros(3))
    flags = [steering.act(control, torch.tensor([-1.0, 0.0, 0.0]))[0] for _ in range(most + 1)]
    assert flags[0] and not flags[-1]


axes = st.tuples(*[st.floats(-1.0, 1.0)] * 4)
hands = st.lists(st.none() | st.builds(Control, st.booleans(), axes), min_size=1, max_size=40)


@given(hands, st.floats(-1.0, 1.0), st.floats(-3.2, 3.2))
def test_no_command_leaps(controls, proposed, heading):
    """The commanded pose is the measured one plus a step. Whatever the hands do, a step differs from the one before by
    at most ``MAX_CHANGE``, here with a policy that keeps still; where the person is gone it may be twice that, once."""
    steering = Steering(ActionLayout(turns=True), heading)
    constant = torch.full((4,), proposed)
    _, last = steering.act(Control(), constant)
    was_person = False
    for control in controls:
        is_person, action = steering.act(control, constant)
        is_lost = was_person and not is_person and control is None
        assert (action - last).abs().max() <= (2 if is_lost else 1) * MAX_CHANGE + 1e-6
        assert action.abs().max() <= 1.0
        last, was_person = action, is_person
