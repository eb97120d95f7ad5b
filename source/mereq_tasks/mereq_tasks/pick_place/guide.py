# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Demonstrations: a script that grips where it is told to, or as the person wants it, lifts, carries and lays down."""

from __future__ import annotations

from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLEnv

from .. import mdp
from .mdp import hand_axis
from .parcel_goal import ParcelGoal
from .starts import fade_out

GRAVITY = 9.81
"""[m/s²]"""

ABOVE = 0.08
"""Height above the place to grip from which the hand goes straight down [m]."""

CLOSING_STEPS = 5
"""Steps that the fingers take to close."""

THERE = 0.01
"""Distance from a place within which the hand, or the parcel, is there [m]."""

FREE = 0.01
"""Clearance from which the parcel is carried across [m]."""

CARRY_HEIGHT = 0.07
"""Height to which the parcel is lifted [m]: a centimetre above what the reward asks for, since it sags."""

LOWERING = 0.03
"""How far below itself the hand is sent to lay the parcel down [m a step]."""

DOWN_HEIGHT = 0.004
"""Height of the parcel's middle above where it rests below which it is let go [m]."""


class PickPlaceGuide:
    """Drives some robots by a script, fewer and fewer, while a prior or an expert is trained.

    To lift both ends of a parcel that sags takes a dozen right actions in a row, and to drag it almost none: from
    its own trials a policy learned to drag (docs/notebook). What the script does goes into the replay buffer like
    everything else; it is judged by the same reward, and the policy learns from it what it is worth (Vecerik et al.,
    arXiv:1707.08817). Its numbers are ours: with them it does the task by itself (tests/mereq_tasks).
    """

    def __init__(
        self,
        env: ManagerBasedRLEnv,
        as_wished: bool = False,
        share: float = 0.25,
        steps: int = 1000,
        noise: float = 0.2,
    ) -> None:
        """Prepare the script.

        Args:
            env: The environment.
            as_wished: Whether it grips the parcel at its centre, as the person does, and not where it is told to.
            share: Share of the robots that are guided at first.
            steps: Steps of the environment over which that falls to none.
            noise: Standard deviation of what is added to the script's actions, in [-1, 1], so that states beside its
                path are seen.
        """
        self._env = env
        self._as_wished = as_wished
        self._share, self._steps, self._noise = share, steps, noise
        self._goal: ParcelGoal = env.command_manager.get_term("goal")  # type: ignore[assignment]  # the task's own
        tool: Any = env.action_manager.get_term("tool").cfg
        self._step_size = torch.tensor(tool.step_size, device=env.device)
        self._yaw_step = tool.yaw_step
        self._stiffness = tool.controller_cfg.motion_stiffness_task[2]
        self._steps_closed = torch.zeros(env.num_envs, device=env.device)
        self._mass = env.scene[self._goal.cfg.object_cfg.name].data.body_mass.torch.flatten().to(env.device)

    def __call__(self, obs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Replace the actions of the guided robots.

        Args:
            obs: What the policy sees; the script reads the environment itself. Shape: (num_envs, num_obs)
            actions: What the policy would do. Shape: (num_envs, 5)

        Returns:
            Shape: (num_envs, 5)
        """
        self._steps_closed[self._env.reset_buf] = 0.0
        share = fade_out(self._env, (), 0.0, self._share, self._steps)
        is_guided = torch.arange(self._env.num_envs, device=self._env.device) < share * self._env.num_envs
        wanted = self.actions()
        wanted[:, :4] += self._noise * torch.randn_like(wanted[:, :4])
        return torch.where(is_guided.unsqueeze(1), wanted.clamp(-1.0, 1.0), actions)

    def actions(self) -> torch.Tensor:
        """Return what the script does with every robot as it is now. Shape: (num_envs, 5)."""
        goal = self._goal
        centre = mdp.object_position(self._env, goal.cfg.object_cfg) - goal.tool()
        to_grip = centre if self._as_wished else goal.grasp_point_from_tool()
        aside = to_grip[:, :2].norm(dim=1)
        reach = to_grip.clone()
        reach[:, 2] += torch.where(aside < THERE, 0.0, ABOVE)
        is_closing = (self._steps_closed > 0.0) | (to_grip.norm(dim=1) < THERE)
        self._steps_closed += is_closing

        distance, height = goal.distance(), goal.height()
        is_there = distance < THERE
        is_free = goal.clearance() > FREE
        up = torch.where(is_there, -LOWERING, CARRY_HEIGHT - height)
        across = goal.offset() * (is_free | is_there).unsqueeze(1)
        carry = torch.cat((across, up.unsqueeze(1)), dim=1)
        carry[:, 2] += self._mass * GRAVITY / self._stiffness
        lays_down = is_there & (height < DOWN_HEIGHT)
        waits = (is_closing & (self._steps_closed <= CLOSING_STEPS)) | lays_down
        move = torch.where(is_closing.unsqueeze(1), carry, reach) / self._step_size
        move = torch.where(waits.unsqueeze(1), 0.0, move)

        hand, parcel = hand_axis(self._env, goal.cfg.tool_cfg), goal.axis()[:, :2]
        angle = torch.atan2(hand[:, 0] * parcel[:, 1] - hand[:, 1] * parcel[:, 0], (hand * parcel).sum(dim=1))
        turn = angle / self._yaw_step * ~is_closing
        grip = torch.where(is_closing & ~lays_down, -1.0, 1.0)
        return torch.cat((move, turn.unsqueeze(1), grip.unsqueeze(1)), dim=1).clamp(-1.0, 1.0)
