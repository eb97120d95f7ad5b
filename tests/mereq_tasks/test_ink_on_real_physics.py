# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Ink goes only under force, with the real robot on real contacts."""

import pytest
import torch

pytestmark = pytest.mark.sim


def test_full_step_down_presses_with_stiffness_times_step(eraser):
    stiffness = eraser.cfg.actions.tool.controller_cfg.motion_stiffness_task[2]
    expected = stiffness * eraser.cfg.actions.tool.step_size[2]
    eraser.land()
    forces = []
    for _ in range(30):
        eraser.act((0.0, 0.0, -1.0))
        forces.append(eraser.marks.normal_force.clone())
    # The felt of a robot now and then slips by a hair, which shows as up to 2 N in a single step.
    force = torch.stack(forces[15:]).mean(dim=0)
    torch.testing.assert_close(force, torch.full_like(force, expected), rtol=0.02, atol=0.0)


def test_force_follows_the_action(eraser):
    eraser.land()
    for force in (4.0, 8.0, 12.0):
        for _ in range(10):
            eraser.act((0.0, 0.0, eraser.press_action(force)))
        # Single robots differ by up to 1 N while the felt settles on its edges.
        assert abs(float(eraser.marks.normal_force.mean()) - force) < 0.05 * force + 0.2


def test_sweep_one_millimetre_above_the_board_removes_no_ink(eraser):
    eraser.go_to(height=0.01, num_steps=30)
    eraser.go_to(height=0.001, num_steps=25)
    eraser.draw_line(length=0.12)
    start = eraser.marks.tool_position()[:, 0].clone()
    for step in range(35):
        eraser.act(eraser.action_to(height=0.001, x=0.5 + 0.0015 * step, y=0.0))
        height = eraser.marks.tool_position()[:, 2] - eraser.board_height
        assert height.min() > 0.0003 and height.max() < 0.003
        assert (eraser.marks.normal_force == 0.0).all()
    assert (eraser.marks.tool_position()[:, 0] - start > 0.03).all(), "the felt has not moved"
    assert (eraser.marks.ink == 1.0).all()
    assert not eraser.marks.touched.any()


def test_sweep_below_the_threshold_touches_but_removes_no_ink(eraser):
    eraser.land()
    eraser.draw_line(length=0.12)
    force = 0.4 * eraser.marks.cfg.erase_force
    start = eraser.marks.tool_position()[:, 0].clone()
    for _ in range(40):
        eraser.act((0.15, 0.0, eraser.press_action(force)))
        assert (eraser.marks.normal_force < eraser.marks.cfg.erase_force).all()
    assert (eraser.marks.tool_position()[:, 0] - start > 0.04).all(), "the felt has not moved"
    assert eraser.marks.touched.sum(dim=1).min() >= 4
    assert (eraser.marks.ink == 1.0).all()


def test_sweep_above_the_threshold_removes_the_ink_under_the_felt_and_no_other(eraser):
    """Marks on a line of 30 cm: the felt passes over some of them and never reaches the others."""
    eraser.land()
    eraser.draw_line(length=0.30)
    force = 2.0 * eraser.marks.cfg.erase_force
    half = eraser.marks.cfg.footprint[0] / 2
    reach = torch.full_like(eraser.marks.ink, torch.inf)
    for _ in range(40):
        eraser.act((0.25, 0.0, eraser.press_action(force)))
        offset = (eraser.marks.position - eraser.marks.tool_position()[:, None, :2])[..., 0].abs()
        reach = torch.minimum(reach, offset)
    ink, under, beside = eraser.marks.ink, reach < half - 0.005, reach > half
    assert (under.sum(dim=1) >= 2).all() and (beside.sum(dim=1) >= 3).all()
    assert (ink[under] < 1.0).all()
    assert (ink[beside] == 1.0).all()
    assert (ink.amin(dim=1) == 0.0).all()


def test_success_is_reported_when_the_ink_is_gone_without_excess_force(eraser):
    eraser.land()
    eraser.draw_line(length=0.03)
    force = (eraser.marks.cfg.erase_force + eraser.marks.cfg.force_limit) / 2
    obs = eraser.act((0.0, 0.0, 0.0))[0]
    assert (obs["metrics"][:, 0] == 0.0).all()
    for _ in range(30):
        obs = eraser.act((0.0, 0.0, eraser.press_action(force)))[0]
    success, ink_removed, over_force_limit = obs["metrics"].T
    assert (success == 1.0).all()
    assert (ink_removed == 1.0).all()
    assert (over_force_limit == 0.0).all()


def test_success_is_withheld_when_the_force_limit_was_exceeded(eraser):
    eraser.land()
    eraser.draw_line(length=0.03)
    num_steps, num_over = int(eraser.env.episode_length_buf[0]), torch.zeros(eraser.env.num_envs)
    for _ in range(30):
        obs = eraser.act((0.0, 0.0, -1.0))[0]
        num_over += eraser.marks.normal_force > eraser.marks.cfg.force_limit
    success, ink_removed, over_force_limit = obs["metrics"].T
    assert (ink_removed == 1.0).all()
    assert (num_over > 20).all()
    torch.testing.assert_close(over_force_limit, num_over / (num_steps + 30))
    assert (success == 0.0).all()
