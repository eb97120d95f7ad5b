# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A small environment and policies whose optima are known in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from mereq_algo.networks import GaussianPolicy, PolicyCfg
from mereq_algo.networks.tanh_normal import inverse_tanh

Term = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""A function of state s, pre-tanh action u and next state s', each of shape (num_envs,)."""


class LinearEnv(VecEnv):
    """``s' = decay·s + gain·u`` in one dimension, where the action is ``a = tanh(u)``.

    In u everything stays linear-Gaussian, so closed forms are exact although policies are squashed. An episode ends by
    time-out after ``max_episode_length`` steps and by termination where |s'| > ``bound``; the next one begins in a
    state drawn uniformly from [-1, 1].
    """

    def __init__(
        self,
        num_envs: int = 64,
        decay: float = 0.5,
        gain: float = 0.5,
        max_episode_length: int = 5,
        bound: float = math.inf,
        features: tuple[Term, ...] = (lambda s, u, n: s, lambda s, u, n: u),
        reward: Term = lambda s, u, n: -(n**2),
        seed: int = 0,
    ) -> None:
        self.num_envs = num_envs
        self.num_actions = 1
        self.max_episode_length = max_episode_length
        self.device = "cpu"
        self.cfg = {}
        self.decay, self.gain, self.bound = decay, gain, bound
        self.feature_terms, self.reward_term = features, reward
        self.generator = torch.Generator().manual_seed(seed)
        self.episode_length_buf = torch.zeros(num_envs, dtype=torch.long)
        self.state = self._initial_states()
        self.features = torch.zeros(num_envs, len(features))
        self._final_obs: dict[str, torch.Tensor] | None = None

    def _initial_states(self) -> torch.Tensor:
        return 2.0 * torch.rand(self.num_envs, generator=self.generator) - 1.0

    def _groups(self) -> dict[str, torch.Tensor]:
        return {"policy": self.state.unsqueeze(-1).clone(), "features": self.features.clone()}

    def get_observations(self) -> TensorDict:
        return TensorDict(self._groups(), batch_size=[self.num_envs])

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict]:
        state, pre_tanh = self.state, inverse_tanh(actions).squeeze(-1)
        self.state = self.decay * state + self.gain * pre_tanh
        self.features = torch.stack([term(state, pre_tanh, self.state) for term in self.feature_terms], dim=-1)
        rewards = self.reward_term(state, pre_tanh, self.state)
        self.episode_length_buf += 1
        terminated = self.state.abs() > self.bound
        time_outs = (self.episode_length_buf >= self.max_episode_length) & ~terminated
        dones = terminated | time_outs
        if dones.any():
            self._final_obs = self._groups()
            self.state = torch.where(dones, self._initial_states(), self.state)
            self.features = torch.where(dones.unsqueeze(-1), 0.0, self.features)
            self.episode_length_buf[dones] = 0
        extras: dict = {"time_outs": time_outs}
        if self._final_obs is not None:  # stale on later steps, as Isaac Lab leaves it
            extras["final_obs"] = self._final_obs
        return self.get_observations(), rewards, dones.long(), extras


def linear_gaussian_policy(gain: float, offset: float, std: float) -> GaussianPolicy:
    """Return the policy ``u ~ N(gain·s + offset, std²)``, exactly: a network without hidden layers."""
    policy = GaussianPolicy(1, 1, PolicyCfg(hidden_dims=(), min_log_std=-4.0, max_log_std=1.0, init_std=std))
    head = policy.mlp[0]
    with torch.no_grad():
        # The untrained normaliser divides by 1 + eps.
        head.weight[0] = gain * (1.0 + policy.normalizer.eps)
        head.weight[1] = 0.0
        head.bias[0] = offset
    return policy
