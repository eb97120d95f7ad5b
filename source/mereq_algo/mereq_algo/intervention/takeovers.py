# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How often a person took over."""

from __future__ import annotations

import torch


def count_takeovers(in_control: torch.Tensor) -> int:
    """Return how often control passed to the person in an episode.

    Args:
        in_control: Whether the person acted in each step. Shape: (num_steps,)
    """
    controlled = in_control.int()
    return int((controlled.diff(prepend=controlled.new_zeros(1)) == 1).sum())
