# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How large observations and actions can get, from what their terms measure and where they are clipped.

Isaac Lab imposes no limits and says so: its spaces are unbounded. Those of the suite's tasks are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import gymnasium as gym
import numpy as np
import torch
from isaaclab.managers import ObservationManager, ObservationTermCfg

from .arguments import TaskUsageError
from .quantity import Quantity

LEARNED_FROM = ("policy", "features")
"""Groups of observations that a learner sees; all others are read by people."""


def term_bounds(term: ObservationTermCfg, width: int) -> tuple[list[float], list[float]]:
    """Returns the least and the greatest value of an observation term, clipped and scaled.

    Args:
        term: The term, of a function that may say what it measures (:func:`~mereq_tasks.quantity.measures`).
        width: Number of its components.

    Returns:
        Low and high of each component; infinite where neither the function nor a clip says anything.
    """
    quantity = getattr(term.func, "quantity", Quantity("1", "none", -math.inf, math.inf))
    low, high = (each(bound, width) for bound in (quantity.low, quantity.high))
    scale = each(1.0 if term.scale is None else term.scale, width)
    if term.clip is not None:
        low, high = ([min(max(value, term.clip[0]), term.clip[1]) for value in bound] for bound in (low, high))
    low, high = ([value * factor for value, factor in zip(bound, scale, strict=True)] for bound in (low, high))
    return low, high


def observation_space(manager: ObservationManager, group: str) -> gym.spaces.Box:
    """Returns the space of a group of observations that are put one after the other.

    Raises:
        TaskUsageError: Nothing says how large one of its terms can get.
    """
    bounds: tuple[list[float], list[float]] = ([], [])
    for name, term, shape in zip(
        manager.active_terms[group],
        manager._group_obs_term_cfgs[group],  # Isaac Lab has no other way to them
        manager.group_obs_term_dim[group],
        strict=True,
    ):
        for bound, values in zip(bounds, term_bounds(term, math.prod(shape)), strict=True):
            if not all(map(math.isfinite, values)):
                raise TaskUsageError(
                    f"observation {group}.{name} has no bounds: give it a clip, or decorate {term.func.__name__} with"
                    " mereq_tasks.quantity.measures"
                )
            bound.extend(values)
    low, high = (np.array(bound, dtype=np.float32) for bound in bounds)
    return gym.spaces.Box(low, high, dtype=np.float32)


def each(value: float | Sequence[float] | torch.Tensor, width: int) -> list[float]:
    """Returns a value for each component, of one for all or of one for each."""
    return torch.as_tensor(value, dtype=torch.float64).expand(width).tolist()
