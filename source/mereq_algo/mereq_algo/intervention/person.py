# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The person who watches and takes over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from tensordict import TensorDict

from ..networks import GaussianPolicy
from .hysteresis import Hysteresis
from .rules import InterventionRule


@dataclass
class PersonDecision:
    """What the person does in one step."""

    in_control: torch.Tensor
    """Whether the person controls the robot. Shape: (num_robots,)"""

    action: torch.Tensor
    """The person's action in [-1, 1]; carried out where they are in control. Shape: (num_robots, num_actions)"""


class Person(Protocol):
    """Whoever supervises: a synthetic person, or a live one behind a device."""

    def reset(self, done: torch.Tensor) -> None:
        """Begin a new episode.

        Args:
            done: Whether the robot starts a new episode. Shape: (num_robots,)
        """
        ...

    def observe(self, obs: TensorDict, robot_action: torch.Tensor) -> PersonDecision:
        """Watch one step before it happens.

        Args:
            obs: All observation groups of the supervised robots. Batch size: (num_robots,)
            robot_action: What the robots would do. Shape: (num_robots, num_actions)
        """
        ...


class Nobody:
    """Watches and never takes over: the robots run their policy alone."""

    def reset(self, done: torch.Tensor) -> None:
        """Do nothing; see :class:`Person`."""

    def observe(self, obs: TensorDict, robot_action: torch.Tensor) -> PersonDecision:
        """Leave every robot to itself; see :class:`Person`."""
        return PersonDecision(robot_action.new_zeros(len(robot_action), dtype=torch.bool), robot_action)


class SyntheticPerson:
    """An expert policy that intervenes by a rule, with hysteresis."""

    def __init__(
        self,
        expert: GaussianPolicy,
        rule: InterventionRule,
        hysteresis: Hysteresis,
        generator: torch.Generator | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            expert: Policy trained with the person's true reward r + θ*ᵀf.
            rule: How disagreement is measured.
            hysteresis: When disagreement becomes an intervention.
            generator: Source of the person's own variation; without one the person always does the same.
        """
        self.expert = expert
        self.rule = rule
        self.hysteresis = hysteresis
        self.generator = generator

    def reset(self, done: torch.Tensor) -> None:
        """Give back the robots whose episode is over. Shape of done: (num_robots,)."""
        self.hysteresis.reset(done)

    @torch.no_grad()
    def observe(self, obs: TensorDict, robot_action: torch.Tensor) -> PersonDecision:
        """Compare what the robot would do with what the person wants; see :class:`Person`."""
        in_control = self.hysteresis.update(self.rule.disagreement(obs["policy"], robot_action))
        if self.generator is None:
            return PersonDecision(in_control, self.expert(obs["policy"]))
        return PersonDecision(in_control, self.expert.sample(obs["policy"], self.generator)[0])
