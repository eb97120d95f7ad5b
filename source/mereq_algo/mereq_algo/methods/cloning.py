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
    """Step size of Adam. Range: > 0. Source: the benchmark's search (Franka-Erase, docs/notebook)."""

    updates_per_round: int = 2_000
    """Updates after each supervised rollout. Range: >= 1. Source: ours: MEReQ's policy gets twice as many in a round
    of Franka-Erase, of batches that are three times as large."""

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


class Clone:
    """A copy of the prior that learns to act as was recorded under supervision."""

    def __init__(self, prior: GaussianPolicy, cfg: CloningCfg, only_person: bool, seed: int = 0) -> None:
        """Start from a copy of the prior.

        Args:
            prior: The policy to start from; its normaliser is kept.
            cfg: Settings.
            only_person: Whether the robot's own steps are left out; otherwise they weigh as much as the person's.
            seed: Seed of the sampling.
        """
        self.policy = copy.deepcopy(prior).train().requires_grad_(True)
        self._cfg = cfg
        self._only_person = only_person
        self._device = next(prior.parameters()).device
        self._generator = torch.Generator(self._device).manual_seed(seed)
        self._optimizer = torch.optim.Adam(self.policy.parameters(), lr=cfg.learning_rate)
        self._obs = torch.zeros(0, prior.num_obs, device=self._device)
        self._actions = torch.zeros(0, prior.num_actions, device=self._device)
        self._is_person = torch.zeros(0, dtype=torch.bool, device=self._device)
        self.num_rejected = 0
        """Steps that were left out because a number was not finite."""

    @property
    def has_seen_person(self) -> bool:
        """Whether any of the recorded steps are the person's."""
        return bool(self._is_person.any())

    def add(self, rollout: SupervisedRollout) -> None:
        """Keep the steps of a supervised rollout beside those of the rounds before, but those that are not finite."""
        steps, is_person = rollout.valid_transitions(), rollout.in_control[rollout.valid]
        chosen = is_person if self._only_person else torch.ones_like(is_person)
        is_finite = torch.isfinite(torch.cat((steps["obs"], steps["action"]), dim=1)).all(dim=1)
        self.num_rejected += int((chosen & ~is_finite).sum())
        chosen = chosen & is_finite
        self._obs = torch.cat((self._obs, steps["obs"][chosen]))
        self._actions = torch.cat((self._actions, steps["action"][chosen]))
        self._is_person = torch.cat((self._is_person, is_person[chosen]))

    def fit(self, on_update: Callable[[int, torch.Tensor], None] | None = None) -> None:
        """Maximise the likelihood of the recorded actions for as many updates as a round has.

        Args:
            on_update: Called after each update with its number, from 1 on, and its loss.
        """
        weights = balanced_weights(self._is_person)
        for update in range(1, self._cfg.updates_per_round + 1):
            batch = torch.multinomial(weights, self._cfg.batch_size, replacement=True, generator=self._generator)
            loss = -self.policy.log_prob(self._obs[batch], self._actions[batch]).mean()
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self._optimizer.step()
            if on_update is not None:
                on_update(update, loss.detach())

    def state_dict(self) -> dict[str, Any]:
        """Return the policy and all recorded steps."""
        return {
            "policy": self.policy.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "obs": self._obs,
            "actions": self._actions,
            "is_person": self._is_person,
            "num_rejected": self.num_rejected,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.policy.load_state_dict(state["policy"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())
        self._obs = state["obs"].to(self._device)
        self._actions = state["actions"].to(self._device)
        self._is_person = state["is_person"].to(self._device)
        self.num_rejected = state.get("num_rejected", 0)  # earlier versions had none


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
        self._clone = Clone(prior, cfg, only_person, seed)
        self._critic = prior_critic
        self._temperature = prior_temperature
        self._cfg = cfg

    @property
    def policy(self) -> GaussianPolicy:
        """The policy as aligned so far."""
        return self._clone.policy

    @property
    def critic(self) -> TwinCritic:
        """The prior's critics."""
        return self._critic

    @property
    def temperature(self) -> float:
        """The prior's temperature [reward/nat]."""
        return self._temperature

    @property
    def num_rejected(self) -> int:
        """Number of recorded steps that were left out because a number was not finite."""
        return self._clone.num_rejected

    def observe(
        self, rollout: SupervisedRollout | None, transitions: list[TensorDict], episodes_alone: EpisodeMeans
    ) -> None:
        """Keep the supervised steps; see :meth:`Learner.observe`."""
        assert rollout is not None, "cloning learns in one process"
        self._clone.add(rollout)

    def align(
        self, window: FeatureWindow, on_progress: Callable[[InnerLoopProgress], None]
    ) -> InnerLoopProgress | None:
        """Fit the policy to the recorded actions; see :meth:`Learner.align`."""
        if not self._clone.has_seen_person:
            return None
        num_updates = self._cfg.updates_per_round
        progress = InnerLoopProgress(0, num_updates, math.nan, window.mean(), {}, {})

        def on_update(update: int, loss: torch.Tensor) -> None:
            nonlocal progress
            if update % self._cfg.report_interval == 0 or update == num_updates:
                losses = {"negative_log_likelihood": float(loss)}
                progress = InnerLoopProgress(update, num_updates, math.nan, progress.learner_features, {}, losses)
                on_progress(progress)

        self._clone.fit(on_update)
        return progress

    def state_dict(self) -> dict[str, Any]:
        """Return the policy and all recorded steps."""
        return self._clone.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._clone.load_state_dict(state)
