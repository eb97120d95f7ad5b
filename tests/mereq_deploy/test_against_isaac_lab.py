# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The runtime sees and asks for the same as the simulated task, from its contract and what an arm can measure."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest
import torch

import mereq_tasks  # noqa: F401  # registers the tasks
from mereq_deploy.action import ActionMapper
from mereq_deploy.contract import SCHEMA_FILE, Contract
from mereq_deploy.observation import ObservationBuilder
from mereq_deploy.state import ArmState, ObjectState, Scene, rotate
from mereq_deploy.tasks.marks import Marks
from mereq_tasks.interface import describe_interface

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]

MODEL = {"kind": "deterministic", "inputs": ["observation"], "outputs": ["action"]}
FILE = {"name": "policy.onnx", "sha256": "0" * 64}
NUM_STEPS = 40
NUM_ROBOTS = 4
"""Robots that are compared; all 16 move."""


@pytest.fixture(scope="module")
def contract(any_task) -> Contract:
    values = {
        **{"format": "mereq-contract", "version": 1, "robot": "FR3", "task": any_task.names["task"]},
        **{"goal": "", "wish": "", "theta": None, "versions": {}, "source": {}},
        "features": list(any_task.names["feature_names"]),
        "models": {"policy": {**MODEL, "files": {"onnx": FILE}}},
        **describe_interface(any_task.env.unwrapped),
    }
    # Through JSON, as a file would be read.
    contract = Contract.from_dict(json.loads(json.dumps(values)))
    jsonschema.validate(json.loads(json.dumps(contract.to_dict())), json.loads(SCHEMA_FILE.read_text()))
    return contract


class Watcher:
    """What the runtime would know of one robot: measured poses, forces and things, nothing of the task's own state."""

    def __init__(self, env, contract: Contract, robot: int) -> None:
        self.env, self.contract, self.robot = env, contract, robot
        memory = {}
        if "marks" in contract.parameters:
            marks = env.command_manager.get_term("marks")
            memory["marks"] = Marks(
                self._numpy(marks.position), contract.parameters["marks"], self._numpy(marks._touched).astype(bool)
            )
        self.scene = Scene(self.arm(), self.arm().tool_position, memory=memory)
        self._see_things()

    def _numpy(self, tensor: torch.Tensor) -> np.ndarray:
        return tensor[self.robot].numpy().astype(np.float64)

    def arm(self) -> ArmState:
        robot = self.env.scene["robot"]
        hand = robot.body_names.index("fr3_hand")
        position, orientation, velocity, turn = (
            self._numpy(data.torch[:, hand])
            for data in (
                robot.data.body_pos_w,
                robot.data.body_quat_w,
                robot.data.body_link_lin_vel_w,
                robot.data.body_link_ang_vel_w,
            )
        )
        position = position - self._numpy(self.env.scene.env_origins)
        point, velocity_point = (
            rotate(orientation, np.asarray(p)) for p in (self.contract.tool.point, self.contract.tool.velocity_point)
        )
        sensors = self.env.scene.sensors
        force, is_gripping, opening = np.zeros(3), False, 0.0
        if "contact" in sensors:
            force = self._numpy(sensors["contact"].data.net_forces_w_history.torch[:, :, 0]).mean(axis=0)
        if "fingers" in sensors:
            limit = self.env.cfg.commands.goal.grip_force
            fingers = self._numpy(sensors["fingers"].data.net_forces_w.torch)
            is_gripping = bool((np.linalg.norm(fingers, axis=1) > limit).all())
            opening = float(self._numpy(robot.data.joint_pos.torch)[-2:].sum())
        return ArmState(
            position + point, velocity + np.cross(turn, velocity_point), orientation, force, opening, is_gripping
        )

    def _see_things(self) -> None:
        for body in self.env.scene.rigid_objects.values():
            position = self._numpy(body.data.root_pos_w.torch) - self._numpy(self.env.scene.env_origins)
            self.scene.object = ObjectState(
                position, self._numpy(body.data.root_quat_w.torch), self._numpy(body.data.root_lin_vel_w.torch)
            )
            self.scene.goal = self._numpy(self.env.command_manager.get_command("goal"))
            goal = self.env.command_manager.get_term("goal")
            if hasattr(goal, "proposal"):
                self.scene.grasp_proposal = float(goal.proposal[self.robot])

    def look(self) -> None:
        """After a step."""
        self.scene.arm = self.arm()
        self._see_things()
        if "marks" in self.scene.memory:
            self.scene.memory["marks"].step(
                self.scene.arm.tool_position, self.scene.arm.force[2], 1.0 / self.contract.rate_hz
            )


def test_runtime_and_simulation_see_and_ask_for_the_same(any_task, contract):
    env, unwrapped = any_task.env, any_task.env.unwrapped
    torch.manual_seed(11)
    env.reset()
    builder, mapper = ObservationBuilder(contract), ActionMapper(contract)
    watchers = [Watcher(unwrapped, contract, robot) for robot in range(NUM_ROBOTS)]
    names = [term.name for term in contract.observation for _ in range(term.width)]
    touched = 0.0
    for step in range(NUM_STEPS):
        simulated = env.get_observations()["policy"].numpy()
        for watcher in watchers:
            found = builder.build(watcher.scene)
            difference = np.abs(found - simulated[watcher.robot])
            assert difference.max() < 2e-5, (step, watcher.robot, names[difference.argmax()], difference.max())
            assert builder.out_of_range(found) == []
        actions = 2.0 * torch.rand(env.num_envs, env.num_actions) - 1.0
        actions[:, 2] -= 0.7 if step % 20 < 14 else -0.7  # down to where the work is, and up again
        targets = [mapper.target(actions[w.robot].numpy(), w.scene.arm) for w in watchers]
        env.step(actions)
        asked = unwrapped.action_manager.get_term("tool").processed_actions.numpy()
        for watcher, target in zip(watchers, targets, strict=True):
            np.testing.assert_allclose(target.position, asked[watcher.robot, :3], atol=2e-6)
            np.testing.assert_allclose(target.orientation, asked[watcher.robot, 3:], atol=2e-6)
            if target.finger_opening is not None:
                fingers = unwrapped.action_manager.get_term("grip").processed_actions.numpy()[watcher.robot]
                assert target.finger_opening == pytest.approx(fingers.sum(), abs=1e-6)
            watcher.look()
            touched += float(np.linalg.norm(watcher.scene.arm.force))
    if "contact" in unwrapped.scene.sensors and any_task.names["task"] == "Franka-Erase":
        assert touched > 0.0, "no felt met the board: forces and ink were not compared"
