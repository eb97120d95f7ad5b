# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""An analytic task that a runner can drive: a prior that pushes too little, and a person who wants more."""

from __future__ import annotations

import torch

from mereq_algo.networks import CheckpointInfo, CriticCfg, TrainedPolicy, TwinCritic
from mereq_algo.records import TaskSpec
from mereq_algo.runner import MEReQCfg

from .analytic_envs import LinearEnv, linear_gaussian_policy

SPEC = TaskSpec("Linear", ("state",), ("state", "push"), ("success",), theta_star=torch.tensor([0.0, 3.0]))


class SupervisedLinearEnv(LinearEnv):
    """``LinearEnv`` with a ``metrics`` group and a reset that draws from torch's global generator."""

    def _initial_states(self) -> torch.Tensor:
        return 2.0 * torch.rand(self.num_envs) - 1.0

    def _groups(self) -> dict[str, torch.Tensor]:
        return {**super()._groups(), "metrics": (self.state > 0.0).float().unsqueeze(-1)}

    def reset(self) -> tuple:
        self.state = self._initial_states()
        self.features = torch.zeros_like(self.features)
        self.episode_length_buf = torch.zeros_like(self.episode_length_buf)
        self._final_obs = None
        return self.get_observations(), {}


def trained(offset: float) -> TrainedPolicy:
    """A policy that pushes by ``offset`` on average, at temperature 0.1."""
    policy = linear_gaussian_policy(gain=0.0, offset=offset, std=0.3)
    critic = TwinCritic(1, 1, policy.normalizer, CriticCfg(hidden_dims=(16,)))
    return TrainedPolicy(policy.eval(), critic.eval(), CheckpointInfo("Linear", temperature=0.1))


def small_cfg(**overrides) -> MEReQCfg:
    """Settings for a run of a second or two."""
    values = {
        "max_rounds": 3,
        "num_supervised": 8,
        "evaluation_episodes": 30,
        "person": {
            "rule": "action_distance",
            "hysteresis": {
                "takeover_threshold": 0.4,
                "handback_threshold": 0.3,
                "patience_takeover": 1,
                "patience_handback": 2,
            },
        },
        "inner": {"max_steps": 150, "min_steps": 20, "theta_interval": 5, "final_rate": 1.0, "average_steps": 10},
        "irl": {"tolerance": 0.02, "learning_rate": 0.05},
        "sac": {
            "temperature": 0.1,
            "gamma": 0.5,
            "learning_rate": 5e-3,
            "learning_starts": 64,
            "buffer_capacity": 20_000,
            "critic": {"hidden_dims": [16]},
            "schedule": {"reference_batch_size": 128},
        },
    }
    return MEReQCfg.from_dict({**values, **overrides})
