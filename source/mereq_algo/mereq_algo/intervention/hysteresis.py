# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The latch between disagreeing and intervening."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass
class HysteresisCfg:
    """When a person takes over, and when they give the robot back."""

    takeover_threshold: float
    """Disagreement above which the robot is going wrong [unit of the rule]. Range: at least ``handback_threshold``.
    Source: ours, one for each task."""

    handback_threshold: float
    """Disagreement up to which the robot would do well [unit of the rule]. Source: ours, one for each task."""

    patience_takeover: int = 3
    """Consecutive steps of disagreement before taking over. Range: >= 1. Source: ours, 0.15 s at 20 Hz: a person's
    reaction time."""

    patience_handback: int = 10
    """Consecutive steps of agreement before handing back, and so the shortest intervention. Range: >= 1. Source: ours,
    0.5 s at 20 Hz: nobody lets go of a device sooner."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.handback_threshold > self.takeover_threshold:
            raise ValueError(
                f"hysteresis: handback_threshold {self.handback_threshold} must not be above takeover_threshold"
                f" {self.takeover_threshold}"
            )
        if min(self.patience_takeover, self.patience_handback) < 1:
            raise ValueError("hysteresis: patience_takeover and patience_handback must be at least 1 step")


class Hysteresis:
    """Turns a disagreement for each step into who is in control, for all supervised robots at once.

    The person takes over on the ``patience_takeover``-th consecutive step above the high threshold, and the robot has
    control again on the ``patience_handback``-th consecutive step up to the low one. What happens to one robot does
    not depend on any other.
    """

    def __init__(self, num_robots: int, cfg: HysteresisCfg, device: torch.device | str = "cpu") -> None:
        """Start with every robot in control of itself."""
        self.cfg = cfg
        self.in_control = torch.zeros(num_robots, dtype=torch.bool, device=device)
        """Whether the person controls the robot. Shape: (num_robots,)"""
        self._streak = torch.zeros(num_robots, dtype=torch.long, device=device)

    def update(self, disagreement: torch.Tensor) -> torch.Tensor:
        """Take in one step.

        Args:
            disagreement: Of the person with the robot. NaN argues neither way. Shape: (num_robots,)

        Returns:
            Whether the person controls the robot in this very step. Shape: (num_robots,)
        """
        argues_for_change = torch.where(
            self.in_control,
            disagreement <= self.cfg.handback_threshold,
            disagreement > self.cfg.takeover_threshold,
        )
        self._streak = torch.where(argues_for_change, self._streak + 1, 0)
        patience = torch.where(self.in_control, self.cfg.patience_handback, self.cfg.patience_takeover)
        changes = self._streak >= patience
        self._streak = torch.where(changes, 0, self._streak)
        self.in_control = self.in_control ^ changes
        return self.in_control

    def reset(self, done: torch.Tensor) -> None:
        """Give back the robots whose episode is over.

        Args:
            done: Whether the robot starts a new episode. Shape: (num_robots,)
        """
        done = done.bool()
        self.in_control = self.in_control & ~done
        self._streak = torch.where(done, 0, self._streak)
