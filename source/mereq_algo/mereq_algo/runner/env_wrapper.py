# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""An environment around an environment."""

from __future__ import annotations

from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict


class EnvWrapper(VecEnv):
    """Passes everything on; subclasses look at what passes."""

    def __init__(self, env: VecEnv) -> None:
        """Wrap an environment."""
        self.env = env
        self.num_envs = env.num_envs
        self.num_actions = env.num_actions
        self.max_episode_length = env.max_episode_length
        self.device = env.device
        self.cfg = env.cfg

    @property
    def episode_length_buf(self) -> torch.Tensor:  # type: ignore[override]
        """Steps of the current episode. Shape: (num_envs,)."""
        return self.env.episode_length_buf

    @episode_length_buf.setter
    def episode_length_buf(self, value: torch.Tensor) -> None:
        self.env.episode_length_buf = value

    def get_observations(self) -> TensorDict:
        """Return the current observations."""
        return self.env.get_observations()

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Step all robots; see :class:`rsl_rl.env.VecEnv`."""
        return self.env.step(actions)

    def reset(self) -> TensorDict:
        """Reset all robots and return their observations."""
        self.env.reset()  # type: ignore[attr-defined]  # every VecEnv of Isaac Lab has it; rsl_rl does not declare it
        return self.env.get_observations()
