# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How often a person took over."""

from __future__ import annotations

import torch


def count_takeovers(in_control: torch.Tensor, done: torch.Tensor | None = None) -> int:
    """Return how often control passed to the person.

    Args:
        in_control: Whether the person acted in each step. Shape: (num_steps, ...)
        done: Whether the step ended an episode, after which nobody is in control; left out within a single episode.
            Shape: as ``in_control``
    """
    was_in_control = torch.zeros_like(in_control)
    was_in_control[1:] = in_control[:-1] if done is None else in_control[:-1] & ~done[:-1]
    return int((in_control & ~was_in_control).sum())
