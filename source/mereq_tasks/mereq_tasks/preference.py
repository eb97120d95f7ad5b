# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the synthetic person wants: the true residual weights of a task."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from isaaclab.utils import configclass


@configclass
class HumanPreference:
    """The residual reward θ*ᵀf of the synthetic person, by feature name.

    The expert is trained with the task's reward r plus this one. The learner never sees it.
    """

    wish: str = ""
    """The same in words: a sentence."""

    weights: dict[str, float] = {}
    """Weight of each feature in reward a step; features that are not named weigh 0."""

    def theta(self, feature_names: Sequence[str]) -> torch.Tensor:
        """Returns θ* in the order of the feature group. Shape: (num_features,).

        Raises:
            ValueError: A weight is given for a feature that the task does not have.
        """
        unknown = set(self.weights) - set(feature_names)
        if unknown:
            raise ValueError(
                f"preference: unknown feature {sorted(unknown)[0]!r}; the task has {', '.join(feature_names)}"
            )
        return torch.tensor([self.weights.get(name, 0.0) for name in feature_names])
