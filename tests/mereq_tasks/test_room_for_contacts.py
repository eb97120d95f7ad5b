# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The solver leaves out contacts that it has no room for, with a line on the terminal: none may ever be left out."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch
from mujoco_warp import OverflowType

from mereq_algo.networks import load_checkpoint
from mereq_tasks.shipped import shipped_policy

if TYPE_CHECKING:
    from mereq_tasks.launch import OpenTask

pytestmark = pytest.mark.sim

LEFT_OUT = OverflowType.NEFC | OverflowType.NJMAX_NNZ | OverflowType.BROADPHASE | OverflowType.NARROWPHASE


def actions_of(who: str, task: OpenTask) -> Callable[[torch.Tensor], torch.Tensor]:
    """What a shipped policy does, or somebody who goes all the way down and does anything else besides."""
    generator, num_actions = torch.Generator().manual_seed(0), task.env.num_actions
    if who != "pressing down":
        policy = load_checkpoint(shipped_policy(task.names["task"], who))[0]
        return lambda obs: policy.sample(obs, generator)[0]

    def press(obs: torch.Tensor) -> torch.Tensor:
        action = 2 * torch.rand(len(obs), num_actions, generator=generator) - 1
        action[:, 2] = -1.0
        return action

    return press


@pytest.mark.parametrize("who", ["prior", "expert", "pressing down"])
def test_a_robot_has_room_for_all_of_its_contacts(any_task, who, pytestconfig, monkeypatch):
    """For its rows, and for its contacts even where it is the only robot: they share the room for those."""
    monkeypatch.syspath_prepend(str(pytestconfig.rootpath / "scripts" / "tools"))
    solver = importlib.import_module("probe_physics").Solver()
    env, act, room = any_task.env, actions_of(who, any_task), any_task.env.unwrapped.sim.cfg.physics.solver_cfg
    torch.manual_seed(0)
    env.reset()
    with torch.no_grad():
        for _ in range(env.max_episode_length):
            env.step(act(env.get_observations()["policy"]))
            solver.look()
    assert 0 < max(map(max, solver.rows)) <= room.njmax and 0 < max(map(max, solver.contacts)) <= room.nconmax
    assert not (solver.data.overflow.numpy() & LEFT_OUT).any()
