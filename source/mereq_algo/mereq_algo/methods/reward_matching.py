# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Methods that infer a reward from the person's features: MEReQ, and max-ent IRL of the full reward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from ..intervention import SupervisedRollout
from ..irl import (
    Corrections,
    EpisodeMeans,
    MaxEntIRL,
    MaxEntIRLCfg,
    StartEffect,
    TargetFeatures,
    TargetFeaturesCfg,
    feature_scale,
)
from ..networks import GaussianPolicy, TwinCritic
from ..ranks import Ranks
from ..residual import (
    LinearReward,
    OnPolicyLearning,
    ResidualPPOCfg,
    ResidualSAC,
    ResidualSACCfg,
    build_residual_sac,
)
from .inner_loop import FeatureWindow, InnerLoopCfg, InnerLoopProgress, run_inner_loop
from .jump_start import JumpStart
from .learner import Learner


def _untrained(prior: GaussianPolicy, seed: int, device: torch.device | str) -> GaussianPolicy:
    """Return a policy of the prior's shape that has learned nothing, and leave torch's global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GaussianPolicy(prior.num_obs, prior.num_actions, prior.cfg).to(device).eval()


class RewardMatchingLearner(Learner):
    """Max-ent IRL around an actor-critic that learns with reward θᵀf.

    =============  ==========  ============  ================
    method         anchored    from_prior    first watched
    =============  ==========  ============  ================
    MEReQ          yes         (implied)     the prior
    MaxEnt-FT      no          yes           the prior
    MaxEnt         no          no            itself, untrained
    =============  ==========  ============  ================

    Anchored means that θᵀf is the *residual* beyond the prior's reward, for which log π stands where it is unknown
    (``sac.prior_from``); otherwise θᵀf is all the reward there is. With a known reward, policy and critics go on from
    the prior's, and what is learned is Q of both rewards.
    """

    def __init__(
        self,
        env: VecEnv,
        prior: GaussianPolicy,
        prior_critic: TwinCritic,
        prior_temperature: float,
        sac: ResidualSACCfg,
        irl: MaxEntIRLCfg,
        target: TargetFeaturesCfg,
        inner: InnerLoopCfg,
        feature_names: tuple[str, ...],
        seed: int = 0,
        anchored: bool = True,
        from_prior: bool = True,
        watches_prior_first: bool = True,
        ranks: Ranks | None = None,
        ppo: ResidualPPOCfg | None = None,
        jump_start: JumpStart | None = None,
    ) -> None:
        """Choose what the person watches first; what learns is made once the spread of the features is known.

        Args:
            env: Where the policy learns.
            prior: The policy to be aligned.
            prior_critic: Its critics, saved with it until there are better ones.
            prior_temperature: Temperature α that it was trained at [reward/nat].
            sac: Settings of the actor-critic.
            irl: Settings of max-ent IRL.
            target: Which steps make up φ*.
            inner: Budget and pace.
            feature_names: For the reports.
            seed: Seed of everything that is drawn.
            anchored: Whether θᵀf comes on top of the prior's own reward.
            from_prior: Whether a policy that is not anchored starts as a copy of the prior.
            watches_prior_first: Whether the person watches the prior in the first round even where nothing starts from
                it, and not the untrained policy.
            ranks: Processes that learn as one, of an anchored method: a policy from scratch learns the scale of its
                observations as well, which is not shared.
            ppo: Settings of residual PPO, which then learns in the place of residual SAC.
            jump_start: Begins some robots' episodes while the policy learns.

        Raises:
            ValueError: Several processes, and nothing anchors or PPO learns.
        """
        self._ranks = ranks or Ranks()
        if self._ranks.world_size > 1 and not anchored:
            raise ValueError("only methods that are anchored to the prior (mereq, mereq_np) learn in several processes")
        if self._ranks.world_size > 1 and ppo is not None:
            raise ValueError("several processes learn as one with learner=sac, not with learner=ppo")
        self._env = env
        self._prior = prior
        self._prior_critic = prior_critic
        self._start = prior if anchored or from_prior else _untrained(prior, seed, env.device)
        self._first = prior if watches_prior_first else self._start
        sac.prior_temperature = prior_temperature
        self._sac_cfg, self._ppo_cfg, self._irl_cfg = sac, ppo, irl
        self._inner_cfg = inner if ppo is None else replace(inner, theta_interval=ppo.theta_interval)
        self._feature_names = feature_names
        self._jump_start = jump_start
        self._seed = seed
        self._anchored = anchored
        self._target = TargetFeatures(len(feature_names), target)
        self._corrections = Corrections()
        # Both need the spread of the features, which the first supervised rollout shows.
        self._irl: MaxEntIRL | None = None
        self._algorithm: ResidualSAC | OnPolicyLearning | None = None

    @property
    def policy(self) -> GaussianPolicy:
        """The policy as aligned so far."""
        return self._first if self._algorithm is None else self._algorithm.policy

    @property
    def begins_as_prior(self) -> bool:
        """Whether the first policy that the person watches is the prior."""
        return self._first is self._prior

    @property
    def critic(self) -> TwinCritic:
        """The critics of Q_R, or of Q where nothing anchors; those of the prior where no Q is learned."""
        return self._algorithm.critic if isinstance(self._algorithm, ResidualSAC) else self._prior_critic

    @property
    def temperature(self) -> float:
        """Temperature α̂ [reward/nat]."""
        return self._sac_cfg.prior_temperature if self._algorithm is None else float(self._algorithm.temperature)

    @property
    def theta(self) -> torch.Tensor | None:
        """θ in reward a step and unit of the unscaled feature. Shape: (num_features,)."""
        return None if self._irl is None else self._irl.theta / self._irl.feature_scale

    @property
    def target_features(self) -> torch.Tensor | None:
        """φ*. Shape: (num_features,)."""
        return self._target.value()

    @property
    def num_rejected(self) -> int:
        """Number of transitions that the replay buffer refused."""
        return 0 if self._algorithm is None else int(self._algorithm.num_rejected)

    def observe(
        self, rollout: SupervisedRollout | None, transitions: list[TensorDict], episodes_alone: EpisodeMeans
    ) -> None:
        """Add to φ* and to the replay buffer; see :meth:`Learner.observe`."""
        if self._algorithm is None:
            # How far a feature's mean follows θ is its covariance over whole episodes, not over single steps: the
            # variance of an episode's mean, times its length (Ziebart et al. 2008 sum features over trajectories).
            num_steps = int(torch.as_tensor(self._env.max_episode_length).max())
            spread = num_steps**0.5 * episodes_alone.features
            scale = feature_scale(spread, self._irl_cfg.scale_floor).to(self._env.device)
            self._build(self._ranks.sum(scale) / self._ranks.world_size)
        assert self._algorithm is not None
        for transition in transitions:
            self._algorithm.store(transition)
        if rollout is None:
            return
        start_effect = None
        if self._target.cfg.adjust_for_starts:
            start_effect = StartEffect.fit(episodes_alone, transitions[0]["features"])
        self._target.add_round(rollout, start_effect, episodes_alone)
        if self._irl_cfg.objective == "actions":
            self._corrections.add_round(rollout)
        if self._jump_start is not None:
            self._jump_start.add(rollout)

    def _build(self, scale: torch.Tensor) -> None:
        """Make θ and the actor-critic. Features are divided by ``scale``. Shape: (num_features,)."""
        self._irl = MaxEntIRL(scale, self._irl_cfg)
        knows_reward = self._anchored and self._sac_cfg.prior_from == "reward"
        reward = LinearReward(self._sac_cfg.prior_weight if knows_reward else 0.0, self._irl.theta, scale)
        is_anchored = self._anchored and not knows_reward
        if self._ppo_cfg is not None:
            self._algorithm = OnPolicyLearning(
                self._env, reward, self._ppo_cfg, self._sac_cfg, self._start, is_anchored, self._seed
            )
            return
        anchor = self._prior if is_anchored else None
        if not is_anchored:
            self._sac_cfg.policy = self._prior.cfg
        if knows_reward:
            self._sac_cfg.critic = self._prior_critic.cfg
        self._algorithm = build_residual_sac(
            self._env,
            reward,
            self._sac_cfg,
            prior=anchor,
            seed=self._seed,
            ranks=self._ranks,
            learns_successor_features=self._irl_cfg.objective == "actions",
        )
        if not is_anchored:
            self._algorithm.start_from(self._start, self._prior_critic if knows_reward else None)
        if knows_reward:
            self._algorithm.policy.normalizer.eval()  # the prior's scale stays, as where log π stands for its reward

    def align(
        self, window: FeatureWindow, on_progress: Callable[[InnerLoopProgress], None]
    ) -> InnerLoopProgress | None:
        """Fit θ and the policy to φ*; see :meth:`Learner.align`."""
        assert self._irl is not None and self._algorithm is not None
        gradient_at = self._gradient()
        if gradient_at is None:
            return None
        return run_inner_loop(
            self._env,
            self._algorithm,
            self._irl,
            gradient_at,
            window,
            self._inner_cfg,
            self._feature_names,
            on_progress,
            self._jump_start and self._jump_start.prepare(window.robots.start or 0),
        )

    def _gradient(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Return what gives ∇θ where the learner's features are f̄(π̂), or None where nothing was shown to learn from."""
        irl, algorithm, ranks = self._irl, self._algorithm, self._ranks
        assert irl is not None
        if irl.cfg.objective == "features":
            target, error = ranks.from_first((self._target.value(), self._target.standard_error()))
            return None if target is None else lambda features: irl.gradient(target, features, error)
        assert isinstance(algorithm, ResidualSAC)
        corrections, psi, policy = self._corrections, algorithm.successor_features, algorithm.policy
        assert psi is not None
        if ranks.from_first(len(corrections)) == 0:
            return None

        def gradient_at(features: torch.Tensor) -> torch.Tensor:
            gradient = None
            if ranks.is_first:  # the person's steps are known there
                obs, action = corrections.obs.to(features), corrections.action.to(features)
                gradient = irl.gradient_of_actions(psi.advantage(policy, obs, action, algorithm.generator))
            return ranks.from_first(gradient).to(features.device)

        return gradient_at

    def state_dict(self) -> dict[str, Any]:
        """Return θ, networks, replay buffer, φ* and the person's steps."""
        assert self._irl is not None and self._algorithm is not None
        return {
            "algorithm": self._algorithm.state_dict(),
            "irl": self._irl.state_dict(),
            "target": self._target.state_dict(),
            "corrections": self._corrections.state_dict(),
            "jump_start": self._jump_start and self._jump_start.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._build(state["irl"]["feature_scale"].to(self._env.device))
        assert self._irl is not None and self._algorithm is not None
        self._irl.load_state_dict(state["irl"])
        self._algorithm.load_state_dict(state["algorithm"])
        self._target.load_state_dict(state["target"])
        self._corrections.load_state_dict(state["corrections"])
        if self._jump_start is not None:
            self._jump_start.load_state_dict(state["jump_start"])
