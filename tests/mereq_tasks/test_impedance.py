# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Our kernel of the impedance law, against Isaac Lab's operational-space controller."""

from __future__ import annotations

import pytest
import torch
from isaaclab.envs.mdp.actions.task_space_actions import OperationalSpaceControllerAction as IsaacLabAction
from isaaclab.utils.math import quat_apply

from mereq_tasks.arguments import task_names
from mereq_tasks.mdp import ToolStepAction
from mereq_tasks.mdp.joint_axes import JointAxes

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("task_id", task_names())
def test_torques_are_those_of_isaac_labs_controller(task_opener, task_id):
    """In motion, in contact, with a tilted tool, and where it may turn, with the wrist turned as far as it goes."""
    env = task_opener.open(task_id).env
    term: ToolStepAction = env.unwrapped.action_manager.get_term("tool")
    torch.manual_seed(0)
    env.reset()
    largest = torch.zeros(())
    for _ in range(30):
        env.step(2 * torch.rand(env.num_envs, env.num_actions) - 1)
        term.process_actions(2 * torch.rand(env.num_envs, term.action_dim) - 1)
        term.apply_actions()
        ours, pose = term._joint_efforts.clone(), term._ee_pose_b.clone()
        theirs = _by_isaac_lab(term)
        torch.testing.assert_close(pose, term._ee_pose_b, atol=1e-5, rtol=0.0)
        torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=1e-4)
        largest = torch.maximum(largest, theirs.abs().max())
    assert largest > 5.0, "there was something to compare"


def test_axes_are_those_of_joints_that_turn_and_no_others(pick_place_task):
    """On every robot, wherever its links are: the axes that one of them told are those of all."""
    robot = pick_place_task.env.unwrapped.scene["robot"]
    arm = robot.find_joints("fr3_joint.*")[0]
    axes = JointAxes.of(robot.data, arm)
    assert [robot.body_names[link] for link in axes.links.tolist()] == [f"fr3_link{joint + 1}" for joint in arm]
    for other in range(1, pick_place_task.env.num_envs):
        told = JointAxes.of(robot.data, arm, other)
        assert torch.equal(told.directions, axes.directions) and torch.equal(told.points, axes.points), other
    pose = robot.data.body_link_pose_w.torch[:, axes.links]
    num = pose.shape[:2]
    direction = quat_apply(pose[..., 3:], axes.directions.expand(*num, 3))
    point = pose[..., :3] + quat_apply(pose[..., 3:], axes.points.expand(*num, 3))
    hand = robot.body_names.index("fr3_hand")
    jacobian = robot.data.body_link_jacobian_w.torch[:, hand - 1][..., arm].transpose(1, 2)
    place = robot.data.body_link_pose_w.torch[:, hand : hand + 1, :3]
    torch.testing.assert_close(direction, jacobian[..., 3:], atol=1e-5, rtol=0.0)
    torch.testing.assert_close(torch.cross(direction, place - point, dim=-1), jacobian[..., :3], atol=1e-5, rtol=0.0)
    with pytest.raises(ValueError, match="do not turn"):
        JointAxes.of(robot.data, robot.find_joints(".*finger.*")[0])


def test_no_jacobian_is_gathered_while_robots_step(erase_task, monkeypatch):
    """For 512 robots on a CPU that was a fourth of the time."""
    env = erase_task.env
    still = torch.zeros(env.num_envs, env.num_actions)
    env.step(still)

    def refuse(_):
        raise AssertionError("somebody reads the Jacobian")

    for name in ("body_link_jacobian_w", "body_com_jacobian_w"):
        monkeypatch.setattr(type(env.unwrapped.scene["robot"].data), name, property(refuse))
    env.step(still)


def _by_isaac_lab(term: ToolStepAction) -> torch.Tensor:
    """Return the torques for the same target in the same state. Shape: (num_envs, num_joints)."""
    IsaacLabAction._compute_ee_pose(term)
    term._osc.set_command(term._processed_actions, term._ee_pose_b, term._task_frame_pose_b)
    IsaacLabAction.apply_actions.__get__(_WithTheirPose(term))()
    return term._joint_efforts.clone()


class _WithTheirPose:
    """The term with Isaac Lab's own way to measure the tool's pose."""

    def __init__(self, term: ToolStepAction) -> None:
        self.__dict__["term"] = term

    def __getattr__(self, name: str):
        if name == "_compute_ee_pose":
            return IsaacLabAction._compute_ee_pose.__get__(self.term)
        return getattr(self.term, name)
