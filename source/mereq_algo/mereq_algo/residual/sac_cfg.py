# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Settings of residual SAC, and the rule by which they scale with the number of robots."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..networks import CriticCfg, PolicyCfg


@dataclass
class UpdateScheduleCfg:
    """How much is learned from each step of ``num_envs`` robots.

    ``num_envs`` new transitions and a constant number of samples drawn for each of them give the work of one step. It
    is split evenly between larger batches and more updates: both grow with the square root of the robot count.

    ========  ==========  ================
    num_envs  batch_size  updates_per_step
    ========  ==========  ================
    16        256         0.5
    64        512         1
    256       1,024       2
    1,024     2,048       4
    4,096     4,096       8
    16,384    8,192       16
    ========  ==========  ================

    A constant ratio means that a policy has learned as much from its millionth transition with 16 robots as with
    16,384, so no robot count is silently left untrained. Growing only the batch would leave large counts with too few
    updates; growing only the updates would leave the device idle. All of it is ours; the row for 256 is measured
    (erasing, before this repository).
    """

    reference_num_envs: int = 256
    """Robot count at which the two numbers below apply."""

    reference_batch_size: int = 1024
    """Transitions in one update at the reference robot count."""

    reference_updates_per_step: float = 2.0
    """Updates for each step of all robots at the reference robot count."""

    min_batch_size: int = 128
    """Smallest batch: below it an update is all overhead."""

    max_batch_size: int = 16384
    """Largest batch. Range: at least ``min_batch_size``."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.reference_updates_per_step <= 0 or not 0 < self.min_batch_size <= self.max_batch_size:
            raise ValueError("update schedule: needs updates per step above 0 and 0 < min_batch_size <= max_batch_size")

    def batch_size(self, num_envs: int) -> int:
        """Return the number of transitions in one update."""
        scaled = self.reference_batch_size * math.sqrt(num_envs / self.reference_num_envs)
        return round(min(max(scaled, self.min_batch_size), self.max_batch_size))

    def updates_per_step(self, num_envs: int) -> float:
        """Return the number of updates for each step of all robots; below 1 it is one every few steps."""
        samples_per_transition = self.reference_batch_size * self.reference_updates_per_step / self.reference_num_envs
        return samples_per_transition * num_envs / self.batch_size(num_envs)


@dataclass
class ResidualSACCfg:
    """Settings of :class:`ResidualSAC`."""

    policy: PolicyCfg = field(default_factory=PolicyCfg)
    """Shape of a policy trained from scratch. A residual one takes the shape of its prior."""

    critic: CriticCfg = field(default_factory=CriticCfg)
    """Shape of the critics."""

    schedule: UpdateScheduleCfg = field(default_factory=UpdateScheduleCfg)
    """Batch size and updates as a function of the number of robots."""

    gamma: float = 0.97
    """Discount γ of one step. Range: [0, 1). Source: measurement (erasing, before this repository): 1.7 s of horizon at
    20 Hz."""

    temperature: float = 0.02
    """Temperature α̂ of the policy [reward/nat]. Range: > 0. Source: measurement (erasing, before this repository)."""

    prior_temperature: float = 0.02
    """Temperature α at which the prior is max-ent optimal [reward/nat]; unused without a prior. Source: the value it
    was trained with, which its file carries."""

    prior_weight: float = 1.0
    """Weight ω of the prior's reward; unused without a prior. Range: >= 0. Source: paper (RQL)."""

    prior_from: str = "policy"
    """What stands for the reward that the prior was trained with: ``policy``, its log π, for a prior of which nothing
    else is known, or ``reward``, the task's own reward r as the environment gives it. Unused without a prior. Source:
    ``policy`` is the paper's; ``reward`` is ours (Franka-PickPlace, docs/notebook): where the person wants what
    the prior never does, log π tells too little of what that is worth."""

    prior_floor: float = 0.0
    """ε, share of a uniform distribution that is mixed into each dimension of the prior's actions; unused without a
    prior. Range: [0, 1). Source: ours; 0 is the paper's. A Gaussian prior forbids what is a few standard deviations
    away: on Franka-PickPlace, acting as the person wants costs 0.64 a step in ωα log π, and 3.3 in a whole episode of
    the reward that log π stands for (docs/notebook)."""

    target_entropy: float | None = None
    """Entropy that an automatic temperature holds [nat, whole action]; None keeps ``temperature`` fixed. Source: ours.
    Fixed is the default, because the mathematics of the residual needs to know α."""

    learning_rate: float = 1e-3
    """Step size of Adam for policy and critics. Range: > 0. Source: ours."""

    temperature_learning_rate: float = 3e-4
    """Step size of Adam for an automatic temperature. Range: > 0. Source: ours."""

    target_rate: float = 0.01
    """Share τ by which target networks move to the critics at each update. Range: (0, 1]. Source: ours."""

    actor_interval: int = 1
    """Critic updates for each policy update. Range: >= 1. Source: ours. 2 saves a quarter of the learning time."""

    buffer_capacity: int = 1_000_000
    """Transitions kept. Source: field standard."""

    buffer_steps: int = 100
    """Steps of all robots that are kept at least, whatever the capacity: of 16,384 robots a million transitions would
    be the last 61 steps. Source: ours: an episode of Franka-Erase."""

    compile_losses: bool = True
    """Whether ``torch.compile`` joins the small kernels of the losses on a GPU, which needs Triton, a C compiler and
    the headers of Python; a CPU never compiles. Source: measurement (docs/scaling.md)."""

    bfloat16: bool = False
    """Whether updates multiply matrices in bfloat16, last layers excepted, on a CPU that has instructions for it; on
    others and on a GPU it changes nothing. Source: measurement (Franka-Erase, docs/scaling.md): the inner loop is a
    quarter to a third faster, and may take more expert samples."""

    learning_starts: int = 2_000
    """Transitions collected before the first update. Source: ours."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        ranges = {
            "gamma in [0, 1)": 0.0 <= self.gamma < 1.0,
            "temperature > 0": self.temperature > 0.0,
            "prior_temperature > 0": self.prior_temperature > 0.0,
            "prior_weight >= 0": self.prior_weight >= 0.0,
            "prior_floor in [0, 1)": 0.0 <= self.prior_floor < 1.0,
            "learning_rate > 0": self.learning_rate > 0.0,
            "temperature_learning_rate > 0": self.temperature_learning_rate > 0.0,
            "target_rate in (0, 1]": 0.0 < self.target_rate <= 1.0,
            "actor_interval >= 1": self.actor_interval >= 1,
        }
        if self.prior_from not in ("policy", "reward"):
            raise ValueError(f"unknown prior_from {self.prior_from!r}; choose policy or reward")
        for rule, holds in ranges.items():
            if not holds:
                raise ValueError(f"residual SAC: needs {rule}, got {getattr(self, rule.split()[0])}")
