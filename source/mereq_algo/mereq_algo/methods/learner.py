# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a method of alignment is: the part of a run in which methods differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from tensordict import TensorDict

from ..intervention import SupervisedRollout
from ..irl import EpisodeMeans
from ..networks import GaussianPolicy, TwinCritic
from .inner_loop import FeatureWindow, InnerLoopProgress


class Learner(ABC):
    """Turns what a person has shown into a better policy.

    The runner owns everything else (supervision, judging, evaluation, files), so that two methods differ in nothing
    but this.
    """

    @property
    @abstractmethod
    def policy(self) -> GaussianPolicy:
        """The policy as aligned so far; before anything was learned, what the method starts from."""

    @property
    def begins_as_prior(self) -> bool:
        """Whether the first policy that the person watches is the prior."""
        return True

    @property
    @abstractmethod
    def critic(self) -> TwinCritic:
        """The critics that are saved beside the policy."""

    @property
    @abstractmethod
    def temperature(self) -> float:
        """Temperature of the policy [reward/nat]."""

    @property
    def theta(self) -> torch.Tensor | None:
        """Weights of the unscaled features, of methods that infer any. Shape: (num_features,)."""
        return None

    @property
    def target_features(self) -> torch.Tensor | None:
        """φ*, of methods that match features. Shape: (num_features,)."""
        return None

    @property
    def num_rejected(self) -> int:
        """Number of transitions that were refused because a value was not finite."""
        return 0

    @abstractmethod
    def observe(
        self, rollout: SupervisedRollout | None, transitions: list[TensorDict], episodes_alone: EpisodeMeans
    ) -> None:
        """Take in a round of supervision.

        Args:
            rollout: The supervised robots, with a flag on every step; None where the person watches those of another
                rank.
            transitions: Steps of *all* robots under the same policy, from the start of an episode of each on.
                Batch size of each: (num_envs,)
            episodes_alone: Whole episodes that the policy ran alone.
        """

    @abstractmethod
    def align(
        self, window: FeatureWindow, on_progress: Callable[[InnerLoopProgress], None]
    ) -> InnerLoopProgress | None:
        """Learn from everything observed so far.

        Args:
            window: The last features of the robots that nobody supervised.
            on_progress: Called now and then.

        Returns:
            Where learning ended; None where the person has shown nothing to learn from.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on as if never interrupted; tensors and plain values only."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
