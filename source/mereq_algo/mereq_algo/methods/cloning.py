# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Methods that imitate actions instead of inferring a reward: HG-DAgger and intervention-weighted regression."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from tensordict import TensorDict

from ..intervention import SupervisedRollout
from ..irl import EpisodeMeans
from ..networks import GaussianPolicy, TwinCritic
from .inner_loop import FeatureWindow, InnerLoopProgress
from .learner import Learner


@dataclass
class CloningCfg:
    """Settings of :class:`CloningLearner`."""

    learning_rate: float = 1e-4
    """Step size of Adam. Range: > 0. Source: the benchmark's search (Franka-Erase, docs/results.md)."""

    updates_per_round: int = 2_000
    """Updates after each supervised rollout. Range: >= 1. Source: ours: as many as MEReQ's policy gets in a round of
    Franka-Erase."""

    batch_size: int = 256
    """Steps in one update. Range: >= 1. Source: ours."""

    report_interval: int = 50
    """Updates between two reports. Range: >= 1. Source: ours."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.learning_rate <= 0 or min(self.updates_per_round, self.batch_size, self.report_interval) < 1:
            raise ValueError("cloning: learning_rate must be above 0, all other settings at least 1")


def balanced_weights(is_person: torch.Tensor) -> torch.Tensor:
    """Return weights under which the person's steps count as much as all others together.

    Reference:
        - Mandlekar et al. "Human-in-the-loop imitation learning using remote teleoperation." arXiv:2012.06733 (2020).

    Args:
        is_person: Whether the person acted. Shape: (num_steps,)

    Returns:
        Weights that sum to 1; equal ones where there is only one side. Shape: (num_steps,)
    """
    weights = torch.zeros(is_person.shape, dtype=torch.float64, device=is_person.device)
    sides = [side for side in (is_person, ~is_person) if bool(side.any())]
    for side in sides:
        weights[side] = 1.0 / (len(sides) * int(side.sum()))
    return weights


class CloningLearner(Learner):
    """Maximises the likelihood of recorded actions, starting from the prior.

    HG-DAgger (Kelly et al. 2019) takes the person's steps alone; intervention-weighted regression (Mandlekar et al.
    2020) takes all supervised steps, the person's weighing as much as the robot's. Both keep the steps of all rounds.
    """

    def __init__(
        self,
        prior: GaussianPolicy,
        prior_critic: TwinCritic,
        prior_temperature: float,
        cfg: CloningCfg,
        only_person: bool,
        seed: int = 0,
    ) -> None:
        """Start from a copy of the prior.

        Args:
            prior: The policy to be aligned; its normaliser is kept.
            prior_critic: Its critics; saved beside the policy, and not learned here.
            prior_temperature: Temperature that it was trained at [reward/nat].
            cfg: Settings.
            only_person: Whether the robot's own steps are left out (HG-DAgger).
            seed: Seed of the sampling.
        """
        self._policy = copy.deepcopy(prior).train().requires_grad_(True)
        self._critic = prior_critic
        self._temperature = prior_temperature
        self._cfg = cfg
        self._only_person = only_person
        self._device = next(prior.parameters()).device
        self._generator = torch.Generator(self._device).manual_seed(seed)
        self._optimizer = torch.optim.Adam(self._policy.parameters(), lr=cfg.learning_rate)
        self._obs = torch.zeros(0, prior.num_obs, device=self._device)
        self._actions = torch.zeros(0, prior.num_actions, device=self._device)
        self._is_person = torch.zeros(0, dtype=torch.bool, device=self._device)

    @property
    def policy(self) -> GaussianPolicy:
        """The policy as aligned so far."""
        return self._policy

    @property
    def critic(self) -> TwinCritic:
        """The prior's critics."""
        return self._critic

    @property
    def temperature(self) -> float:
        """The prior's temperature [reward/nat]."""
        return self._temperature

    def observe(
        self, rollout: SupervisedRollout | None, transitions: list[TensorDict], episodes_alone: EpisodeMeans
    ) -> None:
        """Keep the supervised steps; see :meth:`Learner.observe`."""
        assert rollout is not None, "cloning learns in one process"
        steps, is_person = rollout.valid_transitions(), rollout.in_control[rollout.valid]
        chosen = is_person if self._only_person else torch.ones_like(is_person)
        self._obs = torch.cat((self._obs, steps["obs"][chosen]))
        self._actions = torch.cat((self._actions, steps["action"][chosen]))
        self._is_person = torch.cat((self._is_person, is_person[chosen]))

    def align(
        self, window: FeatureWindow, on_progress: Callable[[InnerLoopProgress], None]
    ) -> InnerLoopProgress | None:
        """Fit the policy to the recorded actions; see :meth:`Learner.align`."""
        if not bool(self._is_person.any()):
            return None
        cfg = self._cfg
        weights = balanced_weights(self._is_person)
        progress = InnerLoopProgress(0, cfg.updates_per_round, math.nan, window.mean(), {}, {})
        for update in range(1, cfg.updates_per_round + 1):
            batch = torch.multinomial(weights, cfg.batch_size, replacement=True, generator=self._generator)
            loss = -self._policy.log_prob(self._obs[batch], self._actions[batch]).mean()
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self._optimizer.step()
            if update % cfg.report_interval == 0 or update == cfg.updates_per_round:
                losses = {"negative_log_likelihood": float(loss.detach())}
                progress = InnerLoopProgress(
                    update, cfg.updates_per_round, math.nan, progress.learner_features, {}, losses
                )
                on_progress(progress)
        return progress

    def state_dict(self) -> dict[str, Any]:
        """Return the policy and all recorded steps."""
        return {
            "policy": self._policy.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "obs": self._obs,
            "actions": self._actions,
            "is_person": self._is_person,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._policy.load_state_dict(state["policy"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())
        self._obs = state["obs"].to(self._device)
        self._actions = state["actions"].to(self._device)
        self._is_person = state["is_person"].to(self._device)
