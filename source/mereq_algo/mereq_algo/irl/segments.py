# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a supervised rollout says about the person's wishes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..intervention import SupervisedRollout
from .starts import EpisodeMeans, StartEffect


@dataclass
class TargetFeaturesCfg:
    """Which steps make up the target feature expectation φ*."""

    pseudo_expert: bool = True
    """Whether the robot's untouched segments count as the person's wish too. Source: paper (MEReQ); False is the
    baseline without pseudo-expert data."""

    reaction_steps: int = 0
    """Steps of the robot right before a takeover that count for neither side, because the person already disapproved
    of them. Range: >= 0. Source: ours; 0 is the paper's."""

    adjust_for_starts: bool = False
    """Whether the features of the few supervised episodes are adjusted for how they happened to start
    (:class:`StartEffect`). Needs ``pseudo_expert``: of an episode's mean the person's segments alone are but a part.
    Source: ours; False is the paper's."""

    memory: float = 0.0
    """Weight of each round relative to the next one. Range: [0, 1]. 0 keeps only the newest round, 1 weighs all steps
    ever supervised alike. Source: ours: older untouched segments belong to worse policies."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0.0 <= self.memory <= 1.0 or self.reaction_steps < 0:
            raise ValueError("target features: needs memory in [0, 1] and reaction_steps >= 0")
        if self.adjust_for_starts and not self.pseudo_expert:
            raise ValueError("target features: adjust_for_starts needs pseudo_expert")


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
        Masks over the steps of the rollout; those with a feature that is not finite are in neither.
    """
    valid, in_control = rollout.valid, rollout.in_control
    valid = valid & torch.isfinite(rollout.transitions["features"]).all(dim=-1)
    disapproved = torch.zeros_like(in_control)
    for offset in range(1, min(reaction_steps, len(in_control) - 1) + 1):
        same_episode = rollout.episode[offset:] == rollout.episode[:-offset]
        disapproved[:-offset] |= in_control[offset:] & same_episode
    return Segments(person=valid & in_control, robot=valid & ~in_control & ~disapproved)


class TargetFeatures:
    """The target φ* = λ f̄(τᴾ) + (1−λ) f̄(τᴱ), gathered over rounds.

    λ is the untouched share of the steps, so φ* is the mean feature over all steps that count, older rounds fading by
    ``memory``. Without pseudo-expert data λ is 0. Episodes are kept apart: only between them is there independence, so
    their spread tells how sure φ* is. A single one has none, and then it is that of episodes which nobody supervised.
    """

    def __init__(self, num_features: int, cfg: TargetFeaturesCfg | None = None) -> None:
        """Start without data."""
        self.cfg = cfg or TargetFeaturesCfg()
        self._sums = torch.zeros(0, num_features, dtype=torch.float64)
        self._counts = torch.zeros(0, dtype=torch.float64)
        self._weights = torch.zeros(0, dtype=torch.float64)
        self._spread_alone = torch.full((num_features,), torch.inf)

    def add_round(
        self,
        rollout: SupervisedRollout,
        start_effect: StartEffect | None = None,
        episodes_alone: EpisodeMeans | None = None,
    ) -> None:
        """Take in the supervised rollout of one round.

        Args:
            rollout: The rollout.
            start_effect: What episodes under its policy owe to their starts; without one, features count as they are.
            episodes_alone: Episodes of its policy that nobody supervised, two at least.
        """
        if episodes_alone is not None:
            self._spread_alone = episodes_alone.features.std(dim=0).cpu()
        segments = split_segments(rollout, self.cfg.reaction_steps)
        counts_as_wish = segments.person | segments.robot if self.cfg.pseudo_expert else segments.person
        names, sums, num_steps = rollout.sums_by_episode(rollout.transitions["features"].double(), counts_as_wish)
        if start_effect is not None:
            effect = start_effect.of(rollout.first_transitions(names)["features"])
            sums -= num_steps.unsqueeze(1) * effect.nan_to_num(0.0, 0.0, 0.0)  # of a start that is not known, none
        self._sums = torch.cat((self._sums, sums))
        self._counts = torch.cat((self._counts, num_steps.double()))
        self._weights = torch.cat((self.cfg.memory * self._weights, torch.ones(len(num_steps), dtype=torch.float64)))

    @property
    def _total(self) -> torch.Tensor:
        """Number of steps, faded ones by their weight."""
        return (self._weights * self._counts).sum()

    def value(self) -> torch.Tensor | None:
        """Return φ* on the CPU, or None where the person has shown nothing to learn from. Shape: (num_features,)."""
        if self._total == 0.0:
            return None
        return (self._weights @ self._sums / self._total).float()

    def standard_error(self) -> torch.Tensor:
        """Return the standard error of φ*: the linearised one of a ratio, with episodes as clusters (Kish 1965).

        Returns:
            On the CPU; of a single episode the spread of those that nobody supervised, and infinite where there were
            none or nothing counts. Shape: (num_features,)
        """
        num_episodes, value = int((self._weights > 0.0).sum()), self.value()
        if value is None:
            return torch.full_like(self._spread_alone, torch.inf)
        if num_episodes < 2:
            return self._spread_alone.clone()
        residual = self._weights.unsqueeze(1) * (self._sums - value.double() * self._counts.unsqueeze(1))
        variance = residual.square().sum(dim=0) * num_episodes / (num_episodes - 1)
        return (variance.sqrt() / self._total).float()

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return everything gathered so far."""
        state = {"sums": self._sums, "counts": self._counts, "weights": self._weights}
        # Infinite where it is not known, which is what it is when it is left out.
        return state | ({"spread_alone": self._spread_alone} if bool(self._spread_alone.isfinite().all()) else {})

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._sums, self._counts, self._weights = state["sums"], state["counts"], state["weights"]
        self._spread_alone = state.get("spread_alone", torch.full_like(self._spread_alone, torch.inf))
