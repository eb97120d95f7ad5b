# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""When Franka-PickPlace is done, and who does it: a script, and the policies that come with the task."""

from __future__ import annotations

import pytest
import torch

from mereq_tasks.pick_place.guide import PickPlaceGuide

from .gripper import CLOSE, OPEN, Gripper
from .shipped_policies import evaluate_shipped

pytestmark = pytest.mark.sim


@pytest.mark.parametrize(
    ("away", "height", "tilt", "in_air", "success"),
    [
        (0.0, 0.0, 0.0, 0.06, 1.0),
        (0.025, 0.0, 0.0, 0.06, 1.0),
        (0.035, 0.0, 0.0, 0.06, 0.0),
        (0.0, 0.05, 0.0, 0.06, 0.0),
        (0.0, 0.005, 1.57, 0.06, 0.0),
        (0.0, 0.0, 0.0, 0.04, 0.0),
    ],
    ids=["on the spot", "25 mm off", "35 mm off", "in the air", "on its side", "dragged there"],
)
def test_success_is_a_parcel_that_was_picked_and_lies_flat_on_its_spot(gripper, away, height, tilt, in_air, success):
    gripper.start_over()
    gripper.goal.command[:] = torch.tensor([0.45, 0.0])
    gripper.place_parcel(0.45 + away, 0.0, height, tilt)
    gripper.goal._way[:], gripper.goal._way_in_air[:] = 0.1, in_air
    assert (gripper.metric("success") == success).all()


@pytest.mark.parametrize(("lift", "low", "high"), [(0.0, 0.0, 0.2), (0.6, 0.7, 1.0)], ids=["dragged", "carried"])
def test_a_parcel_is_carried_while_it_moves_through_the_air(gripper, lift, low, high):
    gripper.start_over(3, at_parcel=1.0)
    up = torch.tensor([0.0, 0.0, lift]).repeat(gripper.num, 1)
    for _ in range(8):
        gripper.step(CLOSE, up)
    towards_robot = up + torch.tensor([-0.8, 0.0, 0.0])
    for _ in range(12):
        gripper.step(CLOSE, towards_robot)
    is_gripped = gripper.goal.is_gripped() & (gripper.goal._way > 0.05)
    share = gripper.metric("carried")[is_gripped]
    assert len(share) > gripper.num / 2
    assert low <= share.mean() <= high


def test_a_parcel_that_is_still_held_is_not_yet_there(gripper):
    gripper.start_over(3, at_parcel=1.0)
    gripper.goal._way[:] = gripper.goal._way_in_air[:] = 1.0
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
def test_a_script_picks_and_places(gripper, monkeypatch, at_centre, share, offset):
    """The task can be done: as the person wants it, and gripped where a policy without a wish does so, which is slower.

    Off the centre three of four are done within 98 steps. Shares are of 32 starts and three standard errors lower.
    (Of those gripped at the proposed places themselves it is twelve of 32, at 4.8 to 5.8 cm.)
    """
    monkeypatch.setattr(gripper.goal.cfg, "proposed_offset", (0.035, 0.045))
    finals = [_metrics_when_done(gripper, at_centre, seed) for seed in (4, 5)]
    metrics = torch.cat(finals)
    assert len(metrics) > share * gripper.num * len(finals)
    names = gripper.unwrapped.observation_manager.active_terms["metrics"]
    assert (metrics[:, names.index("success")] == 1.0).all(), "only who is done stops early"
    least, most = offset
    assert least <= metrics[:, names.index("grasp_offset_m")].mean() <= most


def seen(gripper: Gripper, policy_obs: torch.Tensor, name: str) -> torch.Tensor:
    """One term of what the policy sees. Shape: (robots, width)."""
    manager = gripper.unwrapped.observation_manager
    names, shapes = manager.active_terms["policy"], manager.group_obs_term_dim["policy"]
    widths = [shape[0] for shape in shapes]
    first = sum(widths[: names.index(name)])
    return policy_obs[:, first : first + widths[names.index(name)]]


def test_shipped_policies_pick_off_the_centre_and_at_it(pick_place_task):
    """Of 32 episodes each, where their cards have 200; tests/test_results.py holds those to 90 % and 3 cm."""
    found = evaluate_shipped(pick_place_task, 32)
    assert found["prior"].success_rate.mean >= 29 / 32 and found["expert"].success_rate.mean >= 29 / 32
    assert found["prior"].metrics["grasp_offset_m"].mean > 0.025
    assert found["expert"].metrics["grasp_offset_m"].mean < 0.01


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
            # What the metrics call a success is one by where the parcel is, and how it lies.
            last = extras["final_obs"]["policy"][is_first]
            assert (seen(gripper, last, "goal_from_parcel").norm(dim=1) < 6.0 * 0.03).all()
            assert (seen(gripper, last, "parcel_height").abs() < 0.1).all()
            assert (seen(gripper, last, "parcel_axis")[:, 2].abs() < 0.05).all()
            assert (seen(gripper, last, "grip") == 0.0).all()
        is_over |= is_first
    return torch.cat(finals)


def _lay_down(gripper: Gripper) -> torch.Tensor:
    """Leave the parcel on its spot, as if it had been carried there; return actions that stay. Shape: (robots, 5)."""
    gripper.start_over()
    gripper.goal.command[:] = torch.tensor([0.45, 0.0])
    gripper.place_parcel(0.45, 0.0)
    gripper.goal._way[:] = gripper.goal._way_in_air[:] = 1.0
    stay = torch.zeros(gripper.num, 5)
    stay[:, 4] = OPEN
    return stay


def test_an_episode_is_over_half_a_second_after_the_parcel_was_laid_down(gripper):
    stay = _lay_down(gripper)
    num_steps = 0
    dones = torch.zeros(gripper.num)
    while not dones.any():
        _, _, dones, extras = gripper.env.step(stay)
        num_steps += 1
    assert 10 <= num_steps <= 12
    assert dones.all() and extras["time_outs"].all()


def test_what_happens_after_the_task_was_done_takes_nothing_back(gripper):
    """The step that ends an episode comes after the one in which the parcel had rested for long enough."""
    stay = _lay_down(gripper)
    while not gripper.goal.has_rested().any():
        gripper.env.step(stay)
    gripper.place_parcel(0.45, 0.1)
    _, _, dones, extras = gripper.env.step(stay)
    names = gripper.unwrapped.observation_manager.active_terms["metrics"]
    assert dones.all() and (extras["final_obs"]["metrics"][:, names.index("success")] == 1.0).all()
