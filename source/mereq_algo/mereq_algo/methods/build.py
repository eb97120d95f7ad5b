# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The methods by name."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rsl_rl.env import VecEnv

from ..networks import TrainedPolicy
from ..ranks import Ranks
from .cloning import CloningLearner
from .jump_start import JumpStart
from .learner import Learner
from .reward_matching import RewardMatchingLearner

if TYPE_CHECKING:
    from ..runner import MEReQCfg

METHODS = {
    "mereq": "residual reward from the person's and the untouched segments",
    "mereq_np": "the same without the untouched segments (no pseudo-expert data)",
    "maxent": "full reward, policy from scratch: the first that is watched is untrained",
    "maxent_ft": "full reward, policy fine-tuned from the prior",
    "hg_dagger_ft": "cloning of the person's segments, from the prior",
    "iwr_ft": "cloning of all segments, the person's weighing half, from the prior",
}
"""What each method learns from."""

ANCHORED = ("mereq", "mereq_np")
"""Those that infer what the person wants beyond the prior: without an intervention that is nothing."""

CLONING = ("hg_dagger_ft", "iwr_ft")
"""Those that imitate the person's actions."""


def is_distinct(method: str, objective: str) -> bool:
    """Return whether a method is one of its own, and no other name of ``mereq``, with an ``irl.objective``.

    Untouched segments say nothing of the person's actions, so to leave them out changes nothing where those count.
    """
    return not (method == "mereq_np" and objective == "actions")


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
