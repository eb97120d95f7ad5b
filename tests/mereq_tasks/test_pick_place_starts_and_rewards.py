# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where episodes of Franka-PickPlace begin, and what the reward sees of a parcel that is carried."""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace

import pytest
import torch
from isaaclab.managers import CurriculumManager

from mereq_tasks.pick_place.pick_place_env_cfg import GRASPABLE_LENGTH, PARCEL_SIZE
from mereq_tasks.pick_place.starts import fade_out

pytestmark = pytest.mark.sim


def test_starts_are_above_the_table_and_easier_ones_are_what_they_say(gripper):
    gripper.start_over(6)
    assert 0.09 < gripper.goal.tool()[:, 2].min() < gripper.goal.tool()[:, 2].max() < 0.19
    place = gripper.parcel.data.root_pos_w.torch - gripper.unwrapped.scene.env_origins
    # Along the parcel's own axis, whichever of its ends is in front of the hand.
    along = gripper.goal.grasp_point_from_tool() + gripper.goal.tool() - place
    torch.testing.assert_close(along.norm(dim=1), gripper.goal.proposal.abs(), atol=1e-4, rtol=0.0)

    gripper.start_over(6, in_hand=1.0)
    assert gripper.goal.grasp_point_from_tool().norm(dim=1).max() < 1e-3
    assert gripper.goal.along_length().abs().max() <= GRASPABLE_LENGTH / 2 + 1e-3
    gripper.start_over(6, at_parcel=1.0)
    assert gripper.goal.is_down().all() and not gripper.goal.is_gripped().any()
    assert gripper.goal.grasp_point_from_tool()[:, :2].norm(dim=1).max() < 1e-3
    opening = gripper.unwrapped.scene["robot"].data.joint_pos.torch[:, -2:].sum(dim=1)
    assert (opening > PARCEL_SIZE[1]).all()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_of_parcels_that_start_in_the_hand_some_have_their_spot_right_below(gripper, share, monkeypatch):
    monkeypatch.setattr(gripper.goal.cfg, "near_share", share)
    gripper.start_over(7, in_hand=1.0)
    is_below = gripper.goal.distance() < 1.5 * gripper.goal.cfg.success_distance
    assert (is_below == bool(share)).all()
    gripper.start_over(7)
    assert (gripper.goal.distance() > 0.13).all(), "what lies on the table is never there already"


def test_a_spot_for_which_there_is_no_room_is_refused(gripper, monkeypatch):
    """Ways that lead out of the area are drawn again, but not for ever."""
    monkeypatch.setattr(gripper.goal.cfg, "distance", (0.6, 0.7))
    with pytest.raises(RuntimeError, match=r"no spot within .* was found in 1000 draws of a way of \(0.6, 0.7\) m"):
        gripper.env.reset()


@pytest.mark.parametrize(
    ("away", "height", "error", "price", "near"),
    [
        (0.15, 0.0, 0.06, 0.2, 0.0),
        (0.15, 0.004, 0.056, 0.12, 0.0),
        (0.15, 0.06, 0.0, 0.0, 0.3649),
        (0.035, 0.02, 0.0, 0.0, 0.8268),
        (0.035, 0.0, 0.02, 0.0, 0.0),
        (0.01, 0.0, 0.0, 0.0, 0.9500),
    ],
    ids=["on the table", "almost", "carried", "coming down", "down too early", "on its spot"],
)
def test_a_parcel_is_carried_high_and_comes_down_to_its_spot(gripper, away, height, error, price, near):
    """By hand: 0.2 m/s (1 − 4/10), and 1 − tanh(away/0.2) for one that is off the table or there."""
    from mereq_tasks.pick_place import mdp
    from mereq_tasks.pick_place.pick_place_env_cfg import CARRY

    gripper.start_over()
    gripper.goal.command[:] = torch.tensor([0.45, 0.0])
    gripper.place_parcel(0.45, away, height)
    gripper.parcel.write_root_velocity_to_sim_index(
        root_velocity=torch.tensor([0.2, 0.0, 0.0, 0.0, 0.0, 0.0]).repeat(gripper.num, 1)
    )
    env = gripper.unwrapped
    beside = 1.0 - math.tanh(math.hypot(away, height) / 0.05)
    for found, value in (
        (mdp.height_error(env, **CARRY), error),
        (mdp.dragged(env, 0.01, **CARRY), price),
        (mdp.carried_near(env, 0.2, 0.005), near),
        (mdp.near_its_place(env, 0.05), beside),
    ):
        torch.testing.assert_close(found, torch.full((gripper.num,), value), atol=1e-3, rtol=0.0)


@pytest.mark.parametrize(
    ("height", "pitch", "clearance"), [(0.03, 0.0, 0.03), (0.06, 0.4, 0.0265), (0.06, -0.4, 0.0265)]
)
def test_clearance_is_that_of_the_lower_end(gripper, height, pitch, clearance):
    """By hand: 0.06 + 0.02 (1 − cos 0.4) − 0.09 sin 0.4."""
    gripper.start_over()
    gripper.place_parcel(0.45, 0.0, height, pitch=pitch)
    measured = gripper.goal.clearance()
    torch.testing.assert_close(measured, torch.full_like(measured, clearance), atol=1e-4, rtol=0.0)


@pytest.mark.parametrize(("steps", "share"), [(0, 0.4), (500, 0.3), (2000, 0.0), (5000, 0.0)])
def test_easier_starts_fade_out(steps, share):
    assert fade_out(SimpleNamespace(common_step_counter=steps), [], 0.4, start=0.4, steps=2000) == pytest.approx(share)


def test_the_curriculum_of_training_takes_the_parcels_from_the_hands(gripper):
    """Isaac Lab's own manager on the running environment; with no step to come nothing is left of it."""
    env, before = gripper.unwrapped, gripper.unwrapped.curriculum_manager
    counter, shares = env.common_step_counter, []
    try:
        env.curriculum_manager = CurriculumManager(env.cfg.training_curriculum, env)
        for steps in (0, 500, 1000, sys.maxsize):
            env.common_step_counter = steps
            gripper.env.reset()
            assert gripper.starts["in_hand"] == pytest.approx(0.4 * max(0.0, 1 - steps / 1000)), steps
            assert gripper.starts["at_parcel"] == pytest.approx(0.3 * max(0.0, 1 - steps / 1000)), steps
            heights = []
            for seed in range(4):
                torch.manual_seed(seed)
                gripper.env.reset()
                heights.append(gripper.goal.height().clone())
            shares.append(float((torch.cat(heights) > 0.01).float().mean()))
    finally:
        env.curriculum_manager, env.common_step_counter = before, counter
    # Of 64 parcels 40 % are in a hand, 20 %, none, none: three standard errors of the first are 18 %.
    assert 0.22 < shares[0] < 0.58 and 0.0 < shares[1] < shares[0] and shares[2:] == [0.0, 0.0]
