# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The learner that the settings of a run name."""

from __future__ import annotations

import dataclasses

from rsl_rl.env import VecEnv

from ..methods import ANCHORED, CLONING, CloningLearner, JumpStart, Learner, RewardMatchingLearner
from ..networks import TrainedPolicy
from ..ranks import Ranks
from ..records import TaskSpec
from .mereq_cfg import ConfigError, MEReQCfg
from .timed_env import TimedEnv


def build_learner(
    cfg: MEReQCfg,
    env: VecEnv,
    prior: TrainedPolicy,
    feature_names: tuple[str, ...],
    seed: int,
    ranks: Ranks | None = None,
) -> Learner:
    """Build the learner that ``cfg.method`` names.

    Args:
        cfg: Settings of the run; each method reads its own part.
        env: Where a policy learns.
        prior: The policy to be aligned.
        feature_names: For the reports.
        seed: Seed of everything that the learner draws.
        ranks: Processes that learn as one.

    Raises:
        ValueError: Several processes, and the method learns in one.
    """
    temperature = prior.info.temperature
    target = cfg.target
    if cfg.method == "mereq_np":
        target = dataclasses.replace(target, pseudo_expert=False, adjust_for_starts=False)
    if cfg.method in CLONING:
        if ranks is not None and ranks.world_size > 1:
            raise ValueError(f"{cfg.method} learns in one process: it simulates nothing while it learns")
        only_person = cfg.method == "hg_dagger_ft"
        return CloningLearner(prior.policy, prior.critic, temperature, cfg.cloning, only_person, seed)
    jump_start = None
    if cfg.inner.guided_share > 0.0:
        jump_start = JumpStart(env, prior.policy, cfg.cloning, cfg.inner.guided_share, seed, ranks)
    return RewardMatchingLearner(
        env,
        prior.policy,
        prior.critic,
        temperature,
        cfg.sac,
        cfg.irl,
        target,
        cfg.inner,
        feature_names,
        seed,
        anchored=cfg.method in ANCHORED,
        from_prior=cfg.method != "maxent",
        watches_prior_first=cfg.method != "maxent" or cfg.maxent_watches_prior_first,
        ranks=ranks,
        ppo=cfg.ppo if cfg.learner == "ppo" else None,
        jump_start=jump_start,
    )


def make_learner(
    cfg: MEReQCfg, env: TimedEnv, prior: TrainedPolicy, spec: TaskSpec, seed: int, ranks: Ranks
) -> Learner:
    """Build the learner that the settings name.

    Raises:
        ConfigError: It learns in one process, and there are several.
    """
    try:
        return build_learner(cfg, env, prior, spec.feature_names, seed, ranks)
    except ValueError as error:
        if ranks.world_size == 1:
            raise
        raise ConfigError(str(error)) from error
