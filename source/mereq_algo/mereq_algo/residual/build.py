# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Makes a :class:`ResidualSAC` that fits an environment."""

from __future__ import annotations

import copy

import torch
from rsl_rl.env import VecEnv

from ..networks import GaussianPolicy, TwinCritic
from ..ranks import Ranks
from ..storage import ReplayBuffer
from .anchor import PriorAnchor
from .reward import LinearReward
from .sac import ResidualSAC
from .sac_cfg import ResidualSACCfg
from .successor_features import SuccessorFeatures


def build_residual_sac(
    env: VecEnv,
    reward: LinearReward,
    cfg: ResidualSACCfg | None = None,
    prior: GaussianPolicy | None = None,
    seed: int = 0,
    ranks: Ranks | None = None,
    learns_successor_features: bool = False,
) -> ResidualSAC:
    """Build plain SAC from scratch, or residual SAC whose policy starts as a copy of the prior.

    Args:
        env: Gives the number of robots, the widths of observation, action and features, and the device.
        reward: Reward of a sampled transition.
        cfg: Settings.
        prior: The prior policy; None for plain SAC.
        seed: Seed of the initial weights, the exploration and the sampling.
        ranks: Processes that learn as one: of the same initial weights, and each with its own exploration.
        learns_successor_features: Whether ψ is learned beside.

    Returns:
        The algorithm, on the device of the environment.

    Raises:
        ValueError: If reward or prior are not of the width of the environment.
    """
    cfg = cfg or ResidualSACCfg()
    obs = env.get_observations()
    num_obs, num_features = obs["policy"].shape[1], obs["features"].shape[1]
    if reward.theta.numel() != num_features:
        raise ValueError(f"reward: the environment has {num_features} features, theta has {reward.theta.numel()}")
    if prior is not None and (prior.num_obs, prior.num_actions) != (num_obs, env.num_actions):
        raise ValueError(
            f"prior: takes {prior.num_obs} observations and gives {prior.num_actions} actions, the environment has"
            f" {num_obs} and {env.num_actions}"
        )
    # Initial weights come from torch's global generator: seed it here, and leave it as it was for everyone else.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = GaussianPolicy(num_obs, env.num_actions, cfg.policy) if prior is None else copy.deepcopy(prior)
        critic = TwinCritic(num_obs, env.num_actions, policy.normalizer, cfg.critic)
        psi = SuccessorFeatures(policy, num_features, cfg.critic) if learns_successor_features else None
        # Not the seed itself: an environment that was seeded with it would draw the very same numbers.
        exploration_seed = int(torch.randint(2**62, ())) + (0 if ranks is None else ranks.rank)
    policy.train().requires_grad_(True)
    capacity = max(cfg.buffer_capacity, cfg.buffer_steps * env.num_envs)
    beside = None if prior is None else PriorAnchor.columns(env.num_actions)
    storage = ReplayBuffer(capacity, num_obs, env.num_actions, num_features, env.device, beside)
    return ResidualSAC(policy, critic, storage, reward, env.num_envs, cfg, prior, exploration_seed, ranks, psi)
