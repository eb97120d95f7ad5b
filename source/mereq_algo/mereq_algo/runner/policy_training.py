# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Training on a known reward: the prior with the task's, the expert with the person's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from rsl_rl.env import VecEnv

from ..networks import TrainedPolicy
from ..residual import Guide, LearningLoop, LearningStep, LinearReward, ResidualSAC, ResidualSACCfg, build_residual_sac


def train_policy(
    env: VecEnv,
    theta: torch.Tensor,
    num_steps: int,
    cfg: ResidualSACCfg | None = None,
    seed: int = 0,
    start: TrainedPolicy | None = None,
    on_step: Callable[[int, LearningStep], None] | None = None,
    guide: Guide | None = None,
) -> ResidualSAC:
    """Train plain SAC with the reward r + θᵀf, the learning rate falling linearly to a tenth.

    The critics' noise under a constant rate costs the last few per cent: what is learned late must not be unlearned.

    An expert that starts as the prior keeps its habits where the person has no wish. Trained from scratch it has habits
    of its own, say, which end of a stroke to begin with, and its corrections would be about them too.

    Args:
        env: The environment, just reset.
        theta: Weights of the unscaled features: zeros for the prior, θ* for the expert. Shape: (num_features,)
        num_steps: Steps of all robots.
        cfg: Settings.
        seed: Seed of initial weights, exploration and sampling.
        start: Policy and critics to start from; from scratch when left out.
        on_step: Called after each step with its number and what it brought.
        guide: Demonstrates on some robots what the policy has not found out yet.

    Returns:
        The algorithm with the trained policy and critics.
    """
    cfg = cfg or ResidualSACCfg()
    if start is not None:
        cfg = replace(cfg, policy=start.policy.cfg, critic=start.critic.cfg)
    algorithm = build_residual_sac(env, LinearReward(1.0, theta), cfg, seed=seed)
    if start is not None:
        algorithm.start_from(start.policy, start.critic)
    # Robots in different phases of their episodes: every batch of new transitions then covers all of them.
    max_length = int(torch.as_tensor(env.max_episode_length).max())
    env.episode_length_buf = torch.randint_like(env.episode_length_buf, max_length)
    with LearningLoop(env, algorithm, guide) as loop:
        for step in range(1, num_steps + 1):
            algorithm.scale_learning_rate(1.0 - 0.9 * step / num_steps)
            taken = loop.step()
            if on_step is not None:
                on_step(step, taken)
    return algorithm
