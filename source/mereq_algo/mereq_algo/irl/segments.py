# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a supervised rollout says about the person's wishes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..intervention import SupervisedRollout


@dataclass
class TargetFeaturesCfg:
    """Which steps make up the target feature expectation φ*."""

    pseudo_expert: bool = True
    """Whether the robot's untouched segments count as the person's wish too. Source: paper (MEReQ); False is the
    baseline without pseudo-expert data."""

    reaction_steps: int = 0
    """Steps of the robot right before a takeover that count for neither side, because the person already disapproved
    of them. Range: >= 0. Source: ours; 0 is the paper's."""

    memory: float = 0.0
    """Weight of each round relative to the next one. Range: [0, 1]. 0 keeps only the newest round, 1 weighs all steps
    ever supervised alike. Source: ours: older untouched segments belong to worse policies."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0.0 <= self.memory <= 1.0 or self.reaction_steps < 0:
            raise ValueError("target features: needs memory in [0, 1] and reaction_steps >= 0")


@dataclass
class Segments:
    """A supervised rollout, split by who acted."""

    person: torch.Tensor
    """Steps of the person's segments τᴱ. Shape: (num_steps, num_supervised)"""

    robot: torch.Tensor
    """Steps of the robot's untouched segments τᴾ. Shape: (num_steps, num_supervised)"""


def split_segments(rollout: SupervisedRollout, reaction_steps: int = 0) -> Segments:
    """Split a supervised rollout into the person's and the robot's segments.

    Args:
        rollout: The rollout.
        reaction_steps: Steps before each takeover that belong to neither.

    Returns:
        Masks over the steps of the rollout.
    """
    valid, in_control = rollout.valid, rollout.in_control
    disapproved = torch.zeros_like(in_control)
    for offset in range(1, min(reaction_steps, len(in_control) - 1) + 1):
        same_episode = rollout.episode[offset:] == rollout.episode[:-offset]
        disapproved[:-offset] |= in_control[offset:] & same_episode
    return Segments(person=valid & in_control, robot=valid & ~in_control & ~disapproved)


class TargetFeatures:
    """The target φ* = λ f̄(τᴾ) + (1−λ) f̄(τᴱ), gathered over rounds.

    λ is the untouched share of the steps, so φ* is the mean feature over all steps that count. Sums and counts of both
    sides are kept apart, and older ones fade by ``memory``.
    """

    def __init__(self, num_features: int, cfg: TargetFeaturesCfg | None = None) -> None:
        """Start without data."""
        self.cfg = cfg or TargetFeaturesCfg()
        self._sums = {side: torch.zeros(num_features, dtype=torch.float64) for side in ("person", "robot")}
        self._counts = {side: 0.0 for side in ("person", "robot")}

    def add_round(self, rollout: SupervisedRollout) -> None:
        """Take in the supervised rollout of one round."""
        segments = split_segments(rollout, self.cfg.reaction_steps)
        features = rollout.transitions["features"]
        for side, mask in (("person", segments.person), ("robot", segments.robot)):
            newest = features[mask].double()
            self._sums[side] = self.cfg.memory * self._sums[side] + newest.sum(dim=0).cpu()
            self._counts[side] = self.cfg.memory * self._counts[side] + float(newest.shape[0])

    @property
    def untouched_share(self) -> float:
        """λ, the share of the steps in the robot's untouched segments; 0 without pseudo-expert data."""
        if not self.cfg.pseudo_expert:
            return 0.0
        return self._counts["robot"] / max(self._counts["robot"] + self._counts["person"], 1.0)

    def value(self) -> torch.Tensor | None:
        """Return φ* on the CPU, or None where the person has shown nothing to learn from. Shape: (num_features,)."""
        share = self.untouched_share
        weights = {"robot": share, "person": 1.0 - share}
        sides = [side for side, weight in weights.items() if weight > 0.0]
        if any(self._counts[side] == 0.0 for side in sides):
            return None
        return sum(
            (weights[side] * self._sums[side] / self._counts[side] for side in sides),
            start=torch.zeros_like(self._sums["robot"]),
        ).float()

    def state_dict(self) -> dict:
        """Return everything gathered so far."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: dict) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._sums = dict(state["sums"])
        self._counts = dict(state["counts"])
