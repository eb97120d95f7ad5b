# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How tasks are looked at: what needs no camera. Pictures are in tests/scripts/test_compare.py."""

from __future__ import annotations

import gymnasium as gym
import pytest
import torch
from tensordict import TensorDict

from mereq_algo.networks import load_checkpoint
from mereq_lab.film import film_episodes
from mereq_tasks.arguments import TaskUsageError, task_names
from mereq_tasks.erase.view import EraseViewCfg, place_ink
from mereq_tasks.launch import load_view, settings_of
from mereq_tasks.shipped import shipped_policy
from mereq_tasks.view import Stage, add_view

pytestmark = pytest.mark.sim


class StateStage:
    """Takes down what physics and the marks say, and draws nothing."""

    def __init__(self, env):
        self._env = env.unwrapped

    def snapshot(self) -> TensorDict:
        joints = self._env.scene.get_state(is_relative=True)["articulation"]["robot"]["joint_position"]
        marks = place_ink(self._env).position.clone()
        trace = EraseViewCfg().trace.func(self._env).flatten().clone()
        return TensorDict({"joints": joints, "marks": marks, "trace": trace}, batch_size=[self._env.num_envs])

    def between(self, first: TensorDict, second: TensorDict, share: float) -> TensorDict:
        raise NotImplementedError

    def show(self, snapshot: TensorDict) -> torch.Tensor:
        raise NotImplementedError


def test_every_policy_is_filmed_from_the_same_states_and_marks(erase_task):
    env, stage = erase_task.env, StateStage(erase_task.env)
    filmed = {}
    for name in ("prior", "expert"):
        policy = load_checkpoint(shipped_policy("Franka-Erase", name))[0]
        filmed[name] = film_episodes(env, stage, policy, erase_task.names["metric_names"], 20, seed=7)
    for one, two in zip(filmed["prior"], filmed["expert"], strict=True):
        first, second = one.snapshots[0], two.snapshots[0]
        assert torch.equal(first["joints"], second["joints"]) and torch.equal(first["marks"], second["marks"])
        assert one.num_steps == two.num_steps == env.unwrapped.max_episode_length
    starts = torch.stack([episode.snapshots[0]["joints"] for episode in filmed["prior"]])
    assert len(starts.unique(dim=0)) == 20
    assert sum(episode.success for episode in filmed["expert"]) > 5 > sum(e.success for e in filmed["prior"])
    pressed = [episode.snapshots["trace"].amax() for episode in filmed["expert"]]
    assert torch.stack(pressed).median() > 8.0, "the trace is the force, and the expert presses"


@pytest.mark.parametrize("task", task_names())
def test_every_task_can_be_filmed_and_its_scene_is_only_drawn(task):
    """What a film adds to a scene can be touched by nothing, so it cannot change what is filmed."""
    settings = settings_of(task, "--device", "cpu")
    before = set(vars(settings.env_cfg.scene))
    view = load_view(task)
    add_view(settings.env_cfg, view, 420, 470)
    added = set(vars(settings.env_cfg.scene)) - before
    assert added == {"camera", *view.scenery, *view.props}
    for cfg in [*(item.spawn for item in view.scenery.values()), *view.props.values()]:
        assert cfg.collision_props is None and cfg.rigid_props is None


def test_a_task_without_a_view_is_refused(monkeypatch):
    monkeypatch.delitem(gym.spec("Franka-Erase").kwargs, "view_cfg_entry_point")
    with pytest.raises(TaskUsageError, match="cannot be filmed"):
        load_view("Franka-Erase")


def snapshot(quaternion: list[float], joint: float) -> TensorDict:
    pose = torch.tensor([[0.0, 0.0, 0.0, *quaternion]])
    scene = {"rigid_object": {"parcel": {"root_pose": pose}}, "joint": torch.tensor([joint])}
    return TensorDict({"scene": scene}, batch_size=[1])


def test_between_two_moments_rotations_go_the_short_way():
    """q and −q are one orientation: from one to the other nothing may turn. Half of 90 degrees is 45."""
    still = Stage.between(snapshot([0.0, 0.0, 0.0, 1.0], 1.0), snapshot([0.0, 0.0, 0.0, -1.0], 3.0), 0.5)
    pose = still["scene", "rigid_object", "parcel", "root_pose"][0]
    assert pose[3:].abs().tolist() == pytest.approx([0.0, 0.0, 0.0, 1.0])
    assert still["scene", "joint"].item() == pytest.approx(2.0)

    quarter = [0.0, 0.0, 0.5**0.5, 0.5**0.5]
    turned = Stage.between(snapshot([0.0, 0.0, 0.0, 1.0], 0.0), snapshot(quarter, 0.0), 0.5)
    eighth = torch.tensor(torch.pi / 8)  # half of the angle of 45 degrees
    pose = turned["scene", "rigid_object", "parcel", "root_pose"][0]
    assert pose[5:].tolist() == pytest.approx([float(eighth.sin()), float(eighth.cos())])
