# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Training from scratch: the prior with the task's reward, the expert with the person's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from rsl_rl.env import VecEnv

from ..residual import LinearReward, ResidualSAC, ResidualSACCfg, build_residual_sac


def train_from_scratch(
    env: VecEnv,
    theta: torch.Tensor,
    num_steps: int,
    cfg: ResidualSACCfg | None = None,
    seed: int = 0,
    on_step: Callable[[int, dict, dict], None] | None = None,
) -> ResidualSAC:
    """Train plain SAC with the reward r + θᵀf, the learning rate falling linearly to a tenth.

    The critics' noise under a constant rate costs the last few per cent: what is learned late must not be unlearned.

    Args:
        env: The environment, just reset.
        theta: Weights of the unscaled features: zeros for the prior, θ* for the expert. Shape: (num_features,)
        num_steps: Steps of all robots.
        cfg: Settings.
        seed: Seed of initial weights, exploration and sampling.
        on_step: Called after each step with its number, the learner's statistics and the environment's log.

    Returns:
        The algorithm with the trained policy and critics.
    """
    algorithm = build_residual_sac(env, LinearReward(1.0, theta), cfg, seed=seed)
    # Robots in different phases of their episodes: every batch of new transitions then covers all of them.
    max_length = int(torch.as_tensor(env.max_episode_length).max())
    env.episode_length_buf = torch.randint_like(env.episode_length_buf, max_length)
    obs = env.get_observations()
    for step in range(1, num_steps + 1):
        algorithm.scale_learning_rate(1.0 - 0.9 * step / num_steps)
        obs, rewards, dones, extras = env.step(algorithm.act(obs))
        algorithm.process_env_step(obs, rewards, dones, extras)
        stats = algorithm.update()
        if on_step is not None:
            on_step(step, stats, extras.get("log", {}))
    return algorithm
