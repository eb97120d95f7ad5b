# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What Franka-Erase delivers, on the real environment: groups, resets, ends of episodes, the person's wishes."""

import pytest
import torch

from mereq_algo.records import TaskSpec

from .shipped_policies import evaluate_shipped

pytestmark = pytest.mark.sim


def test_what_the_task_is_about_has_a_name(erase_task):
    spec = TaskSpec(**erase_task.names)
    assert {"normal_force", "ink_removed", "tool_speed", "over_force_limit"} <= set(spec.feature_names)
    assert {"success", "ink_removed", "over_force_limit"} <= set(spec.metric_names)
    wishes = dict(zip(spec.feature_names, spec.theta_star.tolist(), strict=True))
    assert wishes["ink_removed"] > 0.0 > wishes["over_force_limit"]


def test_features_describe_the_transition_just_taken(eraser):
    """Each feature, computed from what the task's state says after the step."""
    eraser.land()
    eraser.draw_line(length=0.12)
    names = list(eraser.env.unwrapped.observation_manager.active_terms["features"])
    params = {name: getattr(eraser.cfg.observations.features, name).params for name in names}
    for action in ((0.3, 0.0, -0.5), (0.3, 0.1, -1.0), (0.0, 0.0, 0.5), (0.5, 0.5, 0.0)):
        ink_before = eraser.marks.ink.clone()
        features = dict(zip(names, eraser.act(action)[0]["features"].T, strict=True))
        force = eraser.marks.normal_force
        # 4 of a mark's ink a second, for 0.05 s: at most 0.2 of it comes off in a step.
        torch.testing.assert_close(features["ink_removed"], (ink_before - eraser.marks.ink).mean(dim=1) / 0.2)
        torch.testing.assert_close(
            features["normal_force"], (force / params["normal_force"]["full_scale"]).clamp(0.0, 1.0)
        )
        excess = (force - eraser.marks.cfg.force_limit) / params["over_force_limit"]["full_scale"]
        torch.testing.assert_close(features["over_force_limit"], excess.clamp(0.0, 1.0))


# --- resets -----------------------------------------------------------------------------------------------------------


def test_reset_restores_every_joint(eraser):
    """Joints that nothing randomises are exactly at their default again, the others within their range."""
    robot = eraser.env.unwrapped.scene["robot"]
    default = robot.data.default_joint_pos.torch
    low, high = torch.zeros(7), torch.zeros(7)
    for event in (eraser.cfg.events.reset_swing, eraser.cfg.events.reset_reach):
        for name in event.params["asset_cfg"].joint_names:
            low[robot.joint_names.index(name)], high[robot.joint_names.index(name)] = event.params["position_range"]
    randomised = high > low
    assert 0 < randomised.sum() < 7
    for _ in range(4):
        for _ in range(20):
            eraser.act(tuple((2 * torch.rand(3) - 1).tolist()))
        assert ((robot.data.joint_pos.torch - default)[:, ~randomised].abs().amax(dim=1) > 1e-3).all()
        eraser.env.reset()
        offset = robot.data.joint_pos.torch - default
        assert (offset[:, ~randomised] == 0.0).all()
        assert (offset >= low - 1e-6).all() and (offset <= high + 1e-6).all()
        assert (offset[:, randomised].std(dim=0) > 0.0).all()
        assert (robot.data.joint_vel.torch == 0.0).all()


def test_reset_draws_marks_on_the_board_and_within_reach(eraser):
    board = eraser.cfg.scene.board
    centre, size = torch.tensor(board.init_state.pos[:2]), torch.tensor(board.spawn.size[:2])
    low, high = (torch.tensor(corner[:2]) for corner in eraser.cfg.actions.tool.workspace)
    half_footprint = torch.tensor(eraser.marks.cfg.footprint) / 2
    for _ in range(20):
        eraser.env.reset()
        position = eraser.marks.position
        assert ((position - centre).abs() < size / 2).all()
        assert (position > low - half_footprint).all() and (position < high + half_footprint).all()
        assert (eraser.marks.ink == 1.0).all()


def test_reset_forgets_the_episode(eraser):
    eraser.land()
    eraser.draw_line(length=0.03)
    for _ in range(10):
        eraser.act((0.0, 0.0, -1.0))
    eraser.env.reset()
    obs = eraser.env.get_observations()
    assert (obs["metrics"] == 0.0).all()
    names = list(eraser.env.unwrapped.observation_manager.active_terms["features"])
    for name in ("normal_force", "ink_removed", "over_force_limit"):
        assert (obs["features"][:, names.index(name)] == 0.0).all()


def test_felt_starts_above_the_board(eraser):
    for _ in range(10):
        eraser.env.reset()
        height = eraser.marks.tool_position()[:, 2] - eraser.board_height
        assert (height > 0.0).all() and (height < 0.2).all()


# --- ends of episodes -------------------------------------------------------------------------------------------------


def test_truncated_episode_ends_with_its_own_last_observation(eraser):
    """Robot 5 ends early by time. Up to there its twin, which goes on, has seen the same."""
    truncated, end = 5, 30
    actions = 2 * torch.rand(60, eraser.env.num_envs, 3, generator=torch.Generator().manual_seed(2)) - 1

    eraser.start_over()
    twin = [eraser.env.step(action)[0].clone() for action in actions]

    eraser.start_over()
    max_length = eraser.env.max_episode_length
    for number, action in enumerate(actions, start=1):
        if number == end:
            buf = eraser.env.episode_length_buf.clone()
            buf[truncated] = max_length - 1
            eraser.env.episode_length_buf = buf
        obs, _, dones, extras = eraser.env.step(action)
        assert dones.nonzero().flatten().tolist() == ([truncated] if number == end else [])
        if number == end:
            assert extras["time_outs"][truncated]
            for group in ("policy", "features", "metrics"):
                assert torch.equal(extras["final_obs"][group][truncated], twin[end - 1][group][truncated]), group
            assert not torch.equal(obs["policy"][truncated], twin[end - 1]["policy"][truncated])
            assert (obs["metrics"][truncated] == 0.0).all()
            assert int(eraser.env.episode_length_buf[truncated]) == 0
        others = torch.arange(eraser.env.num_envs) != truncated
        assert torch.equal(obs["policy"][others], twin[number - 1]["policy"][others])


def test_observation_after_a_reset_within_a_step_shows_the_new_pose(eraser):
    """The tool is seen where the new joint positions put it, not where the last episode left it."""
    for _ in range(10):
        eraser.act((0.5, 0.5, -0.2))
    buf = eraser.env.episode_length_buf.clone()
    buf[:] = eraser.env.max_episode_length - 1
    eraser.env.episode_length_buf = buf
    obs, _, dones, _ = eraser.env.step(torch.zeros(eraser.env.num_envs, 3))
    assert dones.all()
    seen = obs["policy"][:, :3].clone()
    # Nothing moves in a step of no time: a recomputed observation must be the same.
    eraser.env.unwrapped.scene.write_data_to_sim()
    eraser.env.unwrapped.sim.forward()
    again = eraser.env.unwrapped.observation_manager.compute()["policy"][:, :3]
    torch.testing.assert_close(seen, again)
    height = eraser.marks.tool_position()[:, 2] - eraser.board_height
    assert (height > 0.0).all()


def test_shipped_prior_leaves_ink_and_shipped_expert_does_not(erase_task):
    """The prior leaves at least 40 % of the ink, the expert at most 5 %; their cards have it over 100 episodes."""
    found = evaluate_shipped(erase_task, 32)
    assert found["prior"].metrics["ink_removed"].mean <= 0.6
    assert found["expert"].metrics["ink_removed"].mean >= 0.95
