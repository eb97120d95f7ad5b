# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Robots with a gripper that follow a script, on the real environment."""

from __future__ import annotations

import math

import torch

from mereq_tasks.pick_place.pick_place_env_cfg import REST_HEIGHT

from .place import place

OPEN, CLOSE = 1.0, -1.0


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
        tool = self.unwrapped.cfg.actions.tool
        self.pull = tool.controller_cfg.motion_stiffness_task[2] * tool.step_size[2]
        """Of an action of 1 upwards [N]."""

    def start_over(self, seed: int = 0, **shares: float) -> None:
        self.starts.update({"in_hand": 0.0, "at_parcel": 0.0, **shares})
        torch.manual_seed(seed)
        self.env.reset()

    def step(self, grip: float, move: torch.Tensor | None = None, turn: float = 0.0):
        """One step: move is 3 numbers for each robot, or nothing but to bear the weight of what is held."""
        action = torch.zeros(self.num, 5)
        if move is None:
            action[:, 2] = self.goal.is_gripped() * self.mass * 9.81 / self.pull
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
        place(self.unwrapped, "parcel", (x, y, REST_HEIGHT + height), (*about.tolist(), math.cos(half)))
