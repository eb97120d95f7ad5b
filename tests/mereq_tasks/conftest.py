# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A robot that follows a script, on the real environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper

from mereq_tasks.erase.marks import Marks

from .gripper import Gripper


class ScriptedEraser:
    """All robots do the same: go to a place, press, sweep."""

    def __init__(self, env: RslRlVecEnvWrapper) -> None:
        self.env = env
        self.cfg = env.unwrapped.cfg
        self.marks: Marks = env.unwrapped.command_manager.get_term("marks")
        self.step_size = torch.tensor(self.cfg.actions.tool.step_size)
        self.board_height = self.cfg.rewards.distance.params["board_height"]

    def act(self, action: torch.Tensor | tuple[float, ...]) -> tuple:
        """One step of all robots. Nothing may end an episode on the way."""
        action = torch.as_tensor(action, dtype=torch.float32).expand(self.env.num_envs, 3)
        obs, rewards, dones, extras = self.env.step(action)
        assert not dones.any(), "the script is longer than an episode"
        return obs, rewards, dones, extras

    def press_action(self, force: float) -> float:
        """The action along z that presses with a force [N]: stiffness times step."""
        stiffness = self.cfg.actions.tool.controller_cfg.motion_stiffness_task[2]
        return -force / (stiffness * float(self.step_size[2]))

    def go_to(self, height: float, num_steps: int, x: float = 0.5, y: float = 0.0, speed: float = 1.0) -> None:
        """Brings the felt to a place [m]; height counts from the board."""
        for _ in range(num_steps):
            self.act(self.action_to(height, x, y, speed))

    def action_to(self, height: float, x: float, y: float, speed: float = 1.0) -> torch.Tensor:
        """The action towards a place, with at most ``speed`` of the largest step."""
        target = torch.tensor([x, y, height + self.board_height])
        return ((target - self.marks.tool_position()) / self.step_size).clamp(-speed, speed)

    def land(self) -> None:
        """Sets the felt down in the middle of the board without a blow, and waits until it rests."""
        self.go_to(height=0.01, num_steps=30)
        for _ in range(25):
            self.act((0.0, 0.0, self.press_action(2.0)))
        assert (self.marks.normal_force > 0.5).all(), "the felt has not landed"

    def start_over(self) -> None:
        """Resets all robots with the seed that every test starts from."""
        torch.manual_seed(0)
        self.env.reset()

    def draw_line(self, length: float) -> None:
        """Replaces all marks by fresh ones on a line along x, from 2 cm behind the felt's centre."""
        along = torch.linspace(-0.02, length - 0.02, self.marks.cfg.num_marks)
        tool = self.marks.tool_position()
        self.marks.position[..., 0] = tool[:, :1] + along
        self.marks.position[..., 1] = tool[:, 1:2]
        self.marks.ink.fill_(1.0)
        self.marks.touched.zero_()


@pytest.fixture
def env(erase_task) -> RslRlVecEnvWrapper:
    """The shared environment, freshly reset with a seed."""
    ScriptedEraser(erase_task.env).start_over()
    return erase_task.env


@pytest.fixture
def eraser(env: RslRlVecEnvWrapper) -> ScriptedEraser:
    return ScriptedEraser(env)


@pytest.fixture
def gripper(pick_place_task) -> Iterator[Gripper]:
    gripper = Gripper(pick_place_task)
    yield gripper
    gripper.start_over()
