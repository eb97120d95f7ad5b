# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Franka-PickPlace on real physics: a parcel held by friction alone, that sags where Coulomb's law says."""

from __future__ import annotations

import pytest
import torch

from mereq_tasks.pick_place import mdp
from mereq_tasks.pick_place.guide import PickPlaceGuide
from mereq_tasks.pick_place.view import grasp_offset_cm

from .gripper import CLOSE, OPEN, Gripper

pytestmark = pytest.mark.sim

PAD_RADIUS = 0.5 * (0.0175**2 + 0.0185**2) ** 0.5
"""Distance of a fingertip's corners, where it touches, from its middle [m]."""


def finger_friction(gripper: Gripper) -> torch.Tensor:
    """The weaker finger's coefficient, as the solver steps with it. Shape: (num_envs,)."""
    from isaaclab_newton.physics import NewtonManager

    gripper.step(CLOSE)
    model = NewtonManager._solver.mjw_model
    size = torch.from_numpy(model.geom_size.numpy()).reshape(-1, model.ngeom, 3)[0]
    tip = torch.tensor([0.0175, 0.0152, 0.0185]) / 2
    tips = torch.isclose(size, tip, atol=1e-5).all(dim=1).nonzero().flatten().tolist()
    assert len(tips) == 2
    friction = torch.from_numpy(model.geom_friction.numpy()[:, tips, 0].copy())
    assert friction.min() >= 0.5 and friction.max() <= 0.7 and friction.std() > 0.0
    return friction.amin(dim=1)


def test_a_parcel_gripped_near_its_centre_is_carried_level_and_far_from_it_sags(gripper):
    """It turns between the fingers where its weight's torque m g d passes what friction at the pads' corners bears."""
    sagged, held = [], []
    for seed in range(3):
        gripper.start_over(seed, in_hand=1.0)
        is_high = gripper.goal.tool()[:, 2] > 0.12  # an end that hangs down stays clear of the table
        offset = gripper.goal.along_length().abs()
        friction = finger_friction(gripper)
        for _ in range(40):
            gripper.step(CLOSE)
        force = gripper.unwrapped.scene["fingers"].data.net_forces_w.torch.norm(dim=2)
        torque = gripper.mass * 9.81 * offset / (2 * friction * 15.0 * PAD_RADIUS)
        tilt = gripper.goal.tilt()
        sagged += tilt[is_high & (torque > 1.2)].tolist()
        held += tilt[is_high & (torque < 0.4)].tolist()
        grip = force[is_high & (torque < 0.4)]
        assert grip.min() > 13.0 and grip.max() < 16.0, "7.5 mm on 2,000 N/m are 15 N"
    assert len(held) > 3 and max(held) < 0.03, "level within 2 degrees after two seconds"
    assert len(sagged) > 3 and min(sagged) > 0.2, "it hangs by more than 11 degrees"


def test_what_is_let_go_falls(gripper):
    """Nothing but friction holds it."""
    gripper.start_over(1, in_hand=1.0)
    gripper.goal.command[:] = 1.0  # no parcel falls onto its spot, which would end the episode
    for _ in range(5):
        gripper.step(CLOSE)
    is_up = gripper.goal.is_gripped() & (gripper.goal.height() > 0.05) & (gripper.goal.tilt() < 0.1)
    assert is_up.sum() > 3
    for _ in range(20):
        gripper.step(OPEN)
    assert not gripper.goal.is_gripped().any()
    assert (gripper.goal.height()[is_up] < 0.03).all()


def test_the_grasp_offset_is_where_the_parcel_is_gripped(gripper):
    gripper.start_over(2, in_hand=1.0)
    offset = gripper.goal.along_length().abs()
    for _ in range(3):
        obs = gripper.step(CLOSE)
    is_gripped = gripper.goal.is_gripped()
    assert is_gripped.sum() > gripper.num / 2
    share = gripper.feature(obs, "grasp_offset")
    torch.testing.assert_close(share[is_gripped], offset[is_gripped] / 0.09, atol=0.06, rtol=0.0)
    assert offset.max() > 0.05 and (share[~is_gripped] == 0.0).all()
    is_carried = is_gripped & ~gripper.goal.is_down()
    torch.testing.assert_close(gripper.metric("grasp_offset_m")[is_carried], offset[is_carried], atol=0.005, rtol=0.0)
    gripper.start_over(2)
    obs = gripper.step(OPEN)
    assert (gripper.feature(obs, "grasp_offset") == 0.0).all() and (gripper.metric("grasp_offset_m") == 0.0).all()


def test_the_proposed_place_is_where_the_parcel_was_first_gripped(gripper):
    gripper.start_over(2, at_parcel=1.0)
    elsewhere = gripper.goal.proposal.clone() + 0.04  # in such a start it is where the hand is
    gripper.goal.proposal[:] = elsewhere
    for _ in range(10):
        gripper.step(CLOSE)
        is_open = ~gripper.goal.is_gripped() & (gripper.goal._gripped_steps == 0.0)
        assert torch.equal(gripper.goal.proposal[is_open], elsewhere[is_open])
    is_gripped = gripper.goal.is_gripped()
    assert is_gripped.sum() > gripper.num / 2
    assert gripper.goal.grasp_point_from_tool()[is_gripped].norm(dim=1).max() < 0.01
    # First, not last:
    gripper.goal.proposal[:] = elsewhere
    for grip in (CLOSE, OPEN, CLOSE):
        for _ in range(5):
            gripper.step(grip)
    assert torch.equal(gripper.goal.proposal[is_gripped], elsewhere[is_gripped])


def test_fingers_that_press_on_the_table_have_gripped_nothing(gripper, monkeypatch):
    """The workspace keeps them off it: here it reaches below."""
    tool = gripper.unwrapped.action_manager.get_term("tool")
    monkeypatch.setattr(tool, "_workspace_low", torch.tensor([0.3, -0.32, -0.1]))
    gripper.start_over(2, at_parcel=1.0)
    parcel = gripper.parcel.data.root_pose_w.torch.clone()
    gripper.place_parcel(0.45, 0.3)
    elsewhere = gripper.goal.proposal.clone() + 0.04
    gripper.goal.proposal[:] = elsewhere
    down = torch.tensor([0.0, 0.0, -1.0]).expand(gripper.num, 3)
    for _ in range(15):
        obs = gripper.step(OPEN, down)
    assert gripper.goal.is_pressing().all() and not gripper.goal.is_gripped().any()
    assert (gripper.feature(obs, "grasp_offset") == 0.0).all() and (gripper.metric("grasp_offset_m") == 0.0).all()
    assert (mdp.gripped(gripper.unwrapped) == 0.0).all() and (mdp.grip_flag(gripper.unwrapped) == 1.0).all()
    assert (mdp.distance_to_grasp(gripper.unwrapped) > 0.05).all(), "the parcel is still to be gripped"
    assert grasp_offset_cm(gripper.unwrapped).isnan().all(), "a film has no figure of it"
    # Nor was it the first grip, which is still to come.
    for _ in range(15):
        gripper.step(OPEN)
    gripper.parcel.write_root_pose_to_sim_index(root_pose=parcel)
    assert torch.equal(gripper.goal.proposal, elsewhere)
    for _ in range(10):
        gripper.step(CLOSE)
    is_gripped = gripper.goal.is_gripped()
    assert is_gripped.sum() > gripper.num / 2
    assert gripper.goal.grasp_point_from_tool()[is_gripped].norm(dim=1).max() < 0.02


def test_the_proposed_place_counts_while_the_parcel_is_to_be_gripped(gripper):
    def costs() -> tuple[torch.Tensor, torch.Tensor]:
        return mdp.distance_to_grasp(gripper.unwrapped), gripper.goal.grasp_point_from_tool().norm(dim=1)

    gripper.start_over(2)
    gripper.step(OPEN)
    torch.testing.assert_close(*costs())
    # Not while it is held, wherever that is,
    gripper.start_over(2, at_parcel=1.0)
    for _ in range(3):
        gripper.step(CLOSE)
    is_gripped = gripper.goal.is_gripped()
    gripper.goal.proposal[:] += 0.04
    found, from_place = costs()
    assert is_gripped.sum() > gripper.num / 2 and from_place[is_gripped].max() > 0.02
    is_there = gripper.goal.distance() <= 0.03
    assert (found[is_gripped] == 0.0).all()
    torch.testing.assert_close(found[~is_gripped & ~is_there], from_place[~is_gripped & ~is_there])
    # and not once it lies where it should.
    gripper.start_over()
    gripper.goal.command[:] = torch.tensor([0.45, 0.0])
    gripper.place_parcel(0.45, 0.0)
    found, from_place = costs()
    assert (found == 0.0).all() and (from_place > 0.0).all()


def test_a_grip_elsewhere_than_proposed_costs_once(gripper):
    gripper.start_over(2, in_hand=1.0)
    gripper.goal.proposal[:] += 0.04
    costs = []
    for _ in range(6):
        gripper.step(CLOSE)
        # The command counts the steps with a grip after the rewards: what is told now is of the next step.
        costs.append(mdp.misplaced_grip(gripper.unwrapped))
    costs = torch.stack(costs)
    assert (costs == 0.0).all(), "the parcel has been gripped before"
    gripper.goal._gripped_steps[:] = 0.0
    gripper.goal.proposal[:] += 0.04  # it has been where the parcel is held since then
    is_gripped = gripper.goal.is_gripped()
    expected = gripper.goal.grasp_point_from_tool().norm(dim=1) * is_gripped
    torch.testing.assert_close(mdp.misplaced_grip(gripper.unwrapped), expected)
    assert is_gripped.any() and expected.max() > 0.02


@pytest.mark.parametrize(
    ("away", "height", "share"),
    [(0.2, 0.0, 0.5), (0.2, 0.005, 0.25), (0.2, 0.03, 0.0), (0.01, 0.0, 0.0)],
    ids=["on the table", "5 mm above", "in the air", "at its spot"],
)
def test_dragging_is_a_feature(gripper, away, height, share):
    gripper.start_over()
    gripper.goal.command[:] = torch.tensor([0.45, 0.0])
    gripper.place_parcel(0.45, away, height)
    velocity = torch.zeros(gripper.num, 6)
    velocity[:, 1] = -0.15
    gripper.parcel.write_root_velocity_to_sim_index(root_velocity=velocity)
    features = gripper.unwrapped.observation_manager.compute_group("features")
    dragged = gripper.feature({"features": features}, "dragged")
    torch.testing.assert_close(dragged, torch.full_like(dragged, share), atol=0.02, rtol=0.0)


def test_a_guide_drives_its_share_of_the_robots_and_ever_fewer(gripper, monkeypatch):
    gripper.start_over()
    own = torch.full((gripper.num, 5), 0.123)
    for step, num_guided in ((0, gripper.num // 2), (500, gripper.num // 4), (1000, 0), (5000, 0)):
        monkeypatch.setattr(gripper.unwrapped, "common_step_counter", step)
        guide = PickPlaceGuide(gripper.unwrapped, share=0.5, steps=1000)
        is_own = (guide(torch.zeros(gripper.num, 1), own) == own).all(dim=1)
        assert is_own.tolist() == [robot >= num_guided for robot in range(gripper.num)]


def test_the_hand_turns_about_the_vertical_and_stays_level(gripper):
    gripper.start_over(5)
    tool = gripper.unwrapped.action_manager.get_term("tool")
    before = tool.yaw().clone()
    for _ in range(10):
        gripper.step(OPEN, torch.zeros(gripper.num, 3), turn=0.3)
    turned = tool.yaw() - before
    assert (turned > 0.15).all() and (turned < 0.6).all()
    for _ in range(60):
        gripper.step(OPEN, torch.zeros(gripper.num, 3), turn=1.0)
    torch.testing.assert_close(tool.yaw(), torch.full_like(before, tool.cfg.yaw_limits[1]), atol=0.05, rtol=0.0)
