# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Franka-PickPlace on real physics: a parcel held by friction alone, that sags where Coulomb's law says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from mereq_tasks.pick_place.guide import PickPlaceGuide
from mereq_tasks.pick_place.pick_place_env_cfg import GRASPABLE_LENGTH, PARCEL_SIZE, REST_HEIGHT
from mereq_tasks.pick_place.starts import fade_out

pytestmark = pytest.mark.sim

OPEN, CLOSE = 1.0, -1.0
STIFFNESS, STEP = 400.0, (0.04, 0.04, 0.07)
"""Of the controller [N/m], and the tool's largest step along each axis [m]: an action of 1 pulls with their product."""

PAD_RADIUS = 0.5 * (0.0175**2 + 0.0185**2) ** 0.5
"""Distance of a fingertip's corners, where it touches, from its middle [m]."""


class Gripper:
    """All robots do the same."""

    def __init__(self, task) -> None:
        self.env = task.env
        self.unwrapped = task.env.unwrapped
        self.goal = self.unwrapped.command_manager.get_term("goal")
        self.parcel = self.unwrapped.scene["parcel"]
        self.mass = self.parcel.data.body_mass.torch.flatten()
        self.starts = self.unwrapped.event_manager.get_term_cfg("reset_arm_and_parcel").params
        self.num = self.env.num_envs

    def start_over(self, seed: int = 0, **shares: float) -> None:
        self.starts.update({"in_hand": 0.0, "at_parcel": 0.0, **shares})
        torch.manual_seed(seed)
        self.env.reset()

    def step(self, grip: float, move: torch.Tensor | None = None, turn: float = 0.0):
        """One step: move is 3 numbers for each robot, or nothing but to bear the weight of what is held."""
        action = torch.zeros(self.num, 5)
        if move is None:
            action[:, 2] = self.goal.is_gripped() * self.mass * 9.81 / (STIFFNESS * STEP[2])
        else:
            action[:, :3] = move
        action[:, 3], action[:, 4] = turn, grip
        obs, _, dones, _ = self.env.step(action.clamp(-1.0, 1.0))
        assert not dones.any(), "the script is longer than an episode"
        return obs

    def feature(self, obs, name: str) -> torch.Tensor:
        return obs["features"][:, self.unwrapped.observation_manager.active_terms["features"].index(name)]

    def metric(self, name: str) -> torch.Tensor:
        names = self.unwrapped.observation_manager.active_terms["metrics"]
        return self.unwrapped.observation_manager.compute_group("metrics")[:, names.index(name)]

    def place_parcel(self, x: float, y: float, height: float = 0.0, tilt: float = 0.0, pitch: float = 0.0) -> None:
        """Rolled over by tilt or with an end lifted by pitch, not by both."""
        half = (tilt + pitch) / 2
        about = math.sin(half) * torch.tensor([tilt != 0.0, pitch != 0.0, False])
        pose = torch.tensor([x, y, REST_HEIGHT + height, *about.tolist(), math.cos(half)])
        pose = pose.repeat(self.num, 1)
        pose[:, :3] += self.unwrapped.scene.env_origins
        self.parcel.write_root_pose_to_sim_index(root_pose=pose)
        self.parcel.write_root_velocity_to_sim_index(root_velocity=torch.zeros(self.num, 6))
        self.unwrapped.sim.forward()


@pytest.fixture
def gripper(pick_place_task) -> Iterator[Gripper]:
    gripper = Gripper(pick_place_task)
    yield gripper
    gripper.start_over()


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
        force = gripper.unwrapped.scene["left_finger"].data.net_forces_w.torch[:, 0].norm(dim=1)
        torque = gripper.mass * 9.81 * offset / (2 * friction * 15.0 * PAD_RADIUS)
        tilt = gripper.goal.tilt()
        sagged += tilt[is_high & (torque > 1.2)].tolist()
        held += tilt[is_high & (torque < 0.4)].tolist()
        assert (force[is_high & (torque < 0.4)] - 14.0).abs().max() < 2.0, "7 mm on 2,000 N/m"
    assert len(held) > 3 and max(held) < 0.03, "level within 2 degrees after two seconds"
    assert len(sagged) > 3 and min(sagged) > 0.2, "it hangs by more than 11 degrees"


def test_what_is_let_go_falls(gripper):
    """Nothing but friction holds it."""
    gripper.start_over(1, in_hand=1.0)
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


@pytest.mark.parametrize(
    ("away", "height", "tilt", "carried_steps", "success"),
    [
        (0.0, 0.0, 0.0, 10, 1.0),
        (0.025, 0.0, 0.0, 10, 1.0),
        (0.035, 0.0, 0.0, 10, 0.0),
        (0.0, 0.05, 0.0, 10, 0.0),
        (0.0, 0.005, 1.57, 10, 0.0),
        (0.0, 0.0, 0.0, 9, 0.0),
    ],
    ids=["on the spot", "25 mm off", "35 mm off", "in the air", "on its side", "dragged there"],
)
def test_success_is_a_parcel_that_was_picked_and_lies_flat_on_its_spot(
    gripper, away, height, tilt, carried_steps, success
):
    gripper.start_over()
    gripper.goal.command[:] = torch.tensor([0.45, 0.0])
    gripper.goal._carried_steps[:] = carried_steps
    gripper.place_parcel(0.45 + away, 0.0, height, tilt)
    assert (gripper.metric("success") == success).all()


def test_a_parcel_that_is_still_held_is_not_yet_there(gripper):
    gripper.start_over(3, at_parcel=1.0)
    gripper.goal._carried_steps[:] = 10
    gripper.goal.command[:] = gripper.parcel.data.root_pos_w.torch[:, :2] - gripper.unwrapped.scene.env_origins[:, :2]
    for _ in range(10):
        gripper.step(CLOSE, torch.zeros(gripper.num, 3))
    is_gripped = gripper.goal.is_gripped()
    assert is_gripped.sum() > gripper.num / 2
    assert (gripper.metric("success")[is_gripped] == 0.0).all()
    for _ in range(10):
        gripper.step(OPEN, torch.zeros(gripper.num, 3))
    assert (gripper.metric("success")[is_gripped] == 1.0).all()


@pytest.mark.parametrize(("at_centre", "share", "offset"), [(True, 0.85, (0.0, 0.01)), (False, 0.5, (0.03, 0.05))])
def test_a_script_picks_and_places(gripper, at_centre, share, offset):
    """The task can be done: as the person wants it, and as a policy without a wish is told to, which is slower.

    Off the centre three of four are done within 98 steps. Shares are of 32 starts and three standard errors lower.
    """
    finals = [_metrics_when_done(gripper, at_centre, seed) for seed in (4, 5)]
    metrics = torch.cat(finals)
    assert len(metrics) > share * gripper.num * len(finals)
    names = gripper.unwrapped.observation_manager.active_terms["metrics"]
    assert (metrics[:, names.index("success")] == 1.0).all(), "only who is done stops early"
    least, most = offset
    assert least <= metrics[:, names.index("grasp_offset_m")].mean() <= most


def _metrics_when_done(gripper: Gripper, at_centre: bool, seed: int) -> torch.Tensor:
    """Return the last metrics of robots whose first episode ends early. Shape: (robots, metrics)."""
    gripper.start_over(seed)
    script = PickPlaceGuide(gripper.unwrapped, at_centre)
    is_over = torch.zeros(gripper.num, dtype=torch.bool)
    finals = []
    for _ in range(98):
        _, _, dones, extras = gripper.env.step(script.actions())
        is_first = dones.bool() & ~is_over
        if is_first.any():
            assert extras["time_outs"][is_first].all()
            finals.append(extras["final_obs"]["metrics"][is_first])
        is_over |= is_first
    return torch.cat(finals)


def test_an_episode_is_over_half_a_second_after_the_parcel_was_laid_down(gripper):
    gripper.start_over()
    gripper.goal.command[:] = torch.tensor([0.45, 0.0])
    gripper.goal._carried_steps[:] = 10
    gripper.place_parcel(0.45, 0.0)
    stay = torch.zeros(gripper.num, 5)
    stay[:, 4] = OPEN
    num_steps = 0
    dones = torch.zeros(gripper.num)
    while not dones.any():
        _, _, dones, extras = gripper.env.step(stay)
        num_steps += 1
    assert 10 <= num_steps <= 12
    assert dones.all() and extras["time_outs"].all()


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
        is_own = (guide(own) == own).all(dim=1)
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


def test_starts_are_within_their_ranges_and_easier_ones_are_what_they_say(gripper):
    ranges = gripper.starts["pose_range"]
    gripper.start_over(6)
    place = gripper.parcel.data.root_pos_w.torch - gripper.unwrapped.scene.env_origins
    for axis, name in enumerate(("x", "y")):
        low, high = ranges[name]
        assert low - 1e-4 <= place[:, axis].min() < place[:, axis].max() <= high + 1e-4
    assert (place[:, 2] - REST_HEIGHT).abs().max() < 1e-4
    assert 0.09 < gripper.goal.tool()[:, 2].min() < gripper.goal.tool()[:, 2].max() < 0.19
    low, high = torch.tensor(gripper.goal.cfg.area)
    assert ((gripper.goal.command >= low) & (gripper.goal.command <= high)).all()
    assert gripper.goal.distance().min() > 0.05
    proposal = gripper.goal.proposal
    least, most = gripper.goal.cfg.proposed_offset
    assert proposal.min() < 0.0 < proposal.max() and ((least <= proposal.abs()) & (proposal.abs() <= most)).all()
    # Along the parcel's own axis, whichever of its ends is in front of the hand.
    along = gripper.goal.grasp_point_from_tool() + gripper.goal.tool() - place
    torch.testing.assert_close(along.norm(dim=1), proposal.abs(), atol=1e-4, rtol=0.0)

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
    assert (gripper.goal.distance() > 0.05).all(), "what lies on the table is never there already"


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
