# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How much a synthetic person disagrees with what the robot is about to do."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from ..networks import GaussianPolicy, TwinCritic


class InterventionRule(ABC):
    """Measures the disagreement that the hysteresis compares with its thresholds."""

    @abstractmethod
    def disagreement(self, obs: torch.Tensor, robot_action: torch.Tensor) -> torch.Tensor:
        """Return how much the person disagrees; 0 is full agreement.

        Args:
            obs: Observation group ``policy``. Shape: (num_robots, num_obs)
            robot_action: What the robot would do. Shape: (num_robots, num_actions)

        Returns:
            Shape: (num_robots,)
        """


class ActionDistanceRule(InterventionRule):
    """Distance between the robot's action and the person's own: root mean square over dimensions, from 0 to 2.

    It also counts dimensions in which both know that nothing depends on them; :class:`AdvantageGapRule` does not.
    """

    def __init__(self, expert: GaussianPolicy) -> None:
        """Set the policy that stands for the person."""
        self.expert = expert

    @torch.no_grad()
    def disagreement(self, obs: torch.Tensor, robot_action: torch.Tensor) -> torch.Tensor:
        """Return the distance between both actions. Shape: (num_robots,)."""
        return (robot_action - self.expert(obs)).square().mean(dim=-1).sqrt()


class AdvantageGapRule(InterventionRule):
    """What the robot's action costs the person: V_E(s) − Q_E(s, a_R), in the unit of the discounted reward r + θ*ᵀf.

    V_E(s) is Q_E at the person's mean action: without sampling noise, and exactly 0 for a robot that does the same.
    """

    def __init__(self, expert: GaussianPolicy, critic: TwinCritic) -> None:
        """Set the policy that stands for the person, and its critics."""
        self.expert = expert
        self.critic = critic

    @torch.no_grad()
    def disagreement(self, obs: torch.Tensor, robot_action: torch.Tensor) -> torch.Tensor:
        """Return the loss in value. Shape: (num_robots,)."""
        return self.critic.min(obs, self.expert(obs)) - self.critic.min(obs, robot_action)
