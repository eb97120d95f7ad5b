# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The latch between disagreeing and intervening."""

from __future__ import annotations

import math
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

    cusum_reference: float = 0.0
    """Disagreement a step that the person does not mind, however long it lasts [unit of the rule]. Range: >= 0. Source:
    ours, one for each task that has a ``cusum_limit``."""

    cusum_limit: float = math.inf
    """What disagreement may add up to beyond ``cusum_reference`` before the person takes over, no step of it counting
    for more than ``takeover_threshold`` [unit of the rule times steps]: a robot that does nothing is never very wrong.
    They then also give back only where the steps of agreement are up to ``cusum_reference`` in the mean. Range: > 0,
    infinite where small disagreement never adds up. Source: ours (CUSUM, Page 1954), one for each task."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.handback_threshold > self.takeover_threshold:
            raise ValueError(
                f"hysteresis: handback_threshold {self.handback_threshold} must not be above takeover_threshold"
                f" {self.takeover_threshold}"
            )
        if min(self.patience_takeover, self.patience_handback) < 1:
            raise ValueError("hysteresis: patience_takeover and patience_handback must be at least 1 step")
        if not (self.cusum_reference >= 0.0 and self.cusum_limit > 0.0):
            raise ValueError("hysteresis: needs cusum_reference >= 0 and cusum_limit > 0")


class Hysteresis:
    """Turns a disagreement for each step into who is in control, for all supervised robots at once.

    The person takes over on the ``patience_takeover``-th consecutive step above the high threshold, and the robot has
    control again on the ``patience_handback``-th consecutive step up to the low one. With a ``cusum_limit`` they take
    over as well once small disagreement has added up. What happens to one robot does not depend on any other.

    Reference:
        - Page. "Continuous inspection schemes." Biometrika 41 (1954): the cumulative sum that never falls below 0.
    """

    def __init__(self, num_robots: int, cfg: HysteresisCfg, device: torch.device | str = "cpu") -> None:
        """Start with every robot in control of itself."""
        self.cfg = cfg
        self.in_control = torch.zeros(num_robots, dtype=torch.bool, device=device)
        """Whether the person controls the robot. Shape: (num_robots,)"""
        self._streak = torch.zeros(num_robots, dtype=torch.long, device=device)
        # Beyond the reference: since it last was 0 where the robot has control, over the streak where the person has.
        self._excess = torch.zeros(num_robots, device=device)

    def update(self, disagreement: torch.Tensor) -> torch.Tensor:
        """Take in one step.

        Args:
            disagreement: Of the person with the robot. NaN argues neither way. Shape: (num_robots,)

        Returns:
            Whether the person controls the robot in this very step. Shape: (num_robots,)
        """
        cfg = self.cfg
        argues_for_change = torch.where(
            self.in_control, disagreement <= cfg.handback_threshold, disagreement > cfg.takeover_threshold
        )
        self._streak = torch.where(argues_for_change, self._streak + 1, 0)
        is_long = self._streak >= torch.where(self.in_control, cfg.patience_handback, cfg.patience_takeover)
        changes = is_long
        if math.isfinite(cfg.cusum_limit):
            beyond = (disagreement.clamp(max=cfg.takeover_threshold) - cfg.cusum_reference).nan_to_num(0.0)
            excess = self._excess + beyond
            self._excess = torch.where(self.in_control, excess * argues_for_change, excess.clamp(min=0.0))
            adds_up = self._excess > torch.where(self.in_control, 0.0, cfg.cusum_limit)
            changes = torch.where(self.in_control, is_long & ~adds_up, is_long | adds_up)
        is_over = changes | is_long
        self._streak = torch.where(is_over, 0, self._streak)
        self._excess = torch.where(is_over, 0.0, self._excess)
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
        self._excess = torch.where(done, 0.0, self._excess)
