# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Residual PPO: the on-policy way to customise a prior, as an algorithm of rsl_rl."""

from __future__ import annotations

import copy
from typing import Any

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.env import VecEnv
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from ..meaning import EnvMeaning
from ..networks.finite import check_finite
from ..networks.mlp import zero_last_layer
from ..networks.tanh_normal import inverse_tanh
from ..storage import transition_from_step
from .anchor import PriorAnchor
from .ppo_actor import PolicyActor
from .reward import LinearReward


class ResidualPPO(PPO):
    """PPO of rsl_rl on the reward ``r_R + ωα log π(a|s) − α̂ log π̂(a|s)``.

    The first logarithm stands for the prior's own reward, of which nothing else is known; the second is the entropy of
    max-ent RL. At π̂ = π, ωα = α̂ and r_R = 0 the reward is 0 for every action, so that there is nothing to learn and no
    noise either.

    Time-outs are bootstrapped from the value of their own last observation. (rsl_rl takes that of the observation
    before, and the action's doing is lost.)

    In a configuration of rsl_rl: ``algorithm.class_name = "mereq_algo.residual:ResidualPPO"``, and an actor of class
    :class:`PolicyActor`, whose policy is the prior.

    References:
        - Li et al. "Residual Q-learning: offline and online policy customization without value." NeurIPS 2023.
        - Wang et al. "Residual policy gradient: a reward view of KL-regularized objective." arXiv:2503.11019 (2025).
    """

    def __init__(
        self,
        actor: PolicyActor,
        critic: MLPModel,
        storage: RolloutStorage,
        reward: LinearReward,
        temperature: float | None = None,
        prior_temperature: float | None = None,
        prior_weight: float = 1.0,
        prior_floor: float = 0.0,
        anchored: bool = True,
        device: str = "cpu",
        **ppo: Any,
    ) -> None:
        """Put the parts together.

        Args:
            actor: The policy π̂ that learns. As it is now, it is the prior π.
            critic: The value of the residual; its last layer is set to zero.
            storage: Where the steps go.
            reward: The residual reward r_R.
            temperature: α̂ [reward/nat]; α when left out.
            prior_temperature: α [reward/nat]; what the policy's file says when left out.
            prior_weight: ω.
            prior_floor: ε; see :meth:`TanhNormal.log_floor_ratio`.
            anchored: Whether there is a prior; without, r_R is all the reward there is.
            device: Where to learn.
            ppo: Settings of rsl_rl's PPO. The entropy is in the reward, so there is no bonus for it beside that.

        Raises:
            ValueError: No temperature is known.
        """
        ppo["entropy_coef"] = 0.0
        super().__init__(actor, critic, storage, device=device, **ppo)
        if prior_temperature is None:
            if actor.info is None:
                raise ValueError(
                    "residual PPO: prior_temperature is needed for a policy that does not come from a file"
                )
            prior_temperature = actor.info.temperature
        self.temperature = prior_temperature if temperature is None else temperature
        self.reward = reward.to(device)
        self.anchor: PriorAnchor | None = None
        if anchored:
            self.anchor = PriorAnchor(copy.deepcopy(actor.policy), prior_weight * prior_temperature, prior_floor)
        zero_last_layer(critic.mlp)
        self.last_transition: TensorDict | None = None
        """The last step of all robots. Batch size: (num_envs,)"""
        self._mean_obs = actor.policy.normalizer._mean
        self._saw_broken = torch.zeros(storage.num_envs, dtype=torch.bool, device=device)
        self.num_rejected = torch.zeros((), dtype=torch.long, device=device)
        """Number of steps that taught nothing because a value was not finite. Shape: ()"""

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict, device: str) -> PPO:
        """Build from a configuration of rsl_rl, where ``reward`` is a dictionary.

        It has ``theta``, weights of features by name (those left out are 0), and ``base_weight``, the weight of the
        environment's own reward (default 0).

        Raises:
            ValueError: The environment has no such feature.
            CheckpointError: The policy was trained with other settings than the environment is open with.
        """
        reward = dict(cfg["algorithm"]["reward"])
        theta = _theta(env, dict(reward.get("theta") or {}), obs["features"].shape[1])
        linear = LinearReward(float(reward.get("base_weight", 0.0)), theta)
        actor = cfg["actor"] | {"env_meaning": EnvMeaning.of(env)}
        resolved = cfg | {"actor": actor, "algorithm": cfg["algorithm"] | {"reward": linear}}
        algorithm = PPO.construct_algorithm(obs, env, resolved, device)
        cfg["obs_groups"] = resolved["obs_groups"]  # the runner looks for them there
        return algorithm

    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample actions and remember the step.

        A robot whose observation is not finite acts as on the mean observation; its step does not count.
        """
        self._saw_broken = ~torch.isfinite(obs["policy"]).all(dim=1)
        return super().act(self._mended(obs))

    def compute_returns(self, obs: TensorDict) -> None:
        """Compute what the stored steps were worth; see :meth:`rsl_rl.algorithms.PPO.compute_returns`."""
        super().compute_returns(self._mended(obs))  # a single NaN would be in the mean of all advantages

    def save(self) -> dict[str, Any]:
        """Return the state of networks and optimizer; see :meth:`rsl_rl.algorithms.PPO.save`.

        Raises:
            NotFiniteError: Training diverged: no checkpoint is written.
        """
        state = super().save()
        check_finite(state)
        return state

    def _mended(self, obs: TensorDict) -> TensorDict:
        """Return a copy in which the mean observation stands for what is not finite."""
        mended = obs.clone()
        mended["policy"] = torch.where(torch.isfinite(obs["policy"]), obs["policy"], self._mean_obs)
        return mended

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, Any]
    ) -> None:
        """Record one step.

        Args:
            obs: Observations after the step, with the groups ``policy`` and ``features``.
            rewards: The environment's own reward. Shape: (num_envs,)
            dones: Whether the robot was reset. Shape: (num_envs,)
            extras: Extra information of the step; see :func:`transition_from_step`.
        """
        acted = self.transition
        assert acted.observations is not None and acted.actions is not None and acted.actions_log_prob is not None
        step = transition_from_step(acted.observations["policy"], acted.actions, obs, rewards, dones, extras)
        self.last_transition = step
        with torch.no_grad():
            reward = self.reward(step) - self.temperature * acted.actions_log_prob.squeeze(-1)
            if self.anchor is not None:
                reward += self.anchor.log_prob(self.anchor.outputs(step["obs"]), inverse_tanh(acted.actions))
            if "final_obs" in extras:
                timed_out = dones.bool() & ~step["terminated"].bool()
                final_value = self.critic(extras["final_obs"]).squeeze(-1)
                reward += self.gamma * torch.where(timed_out, final_value, 0.0)
            broken = self._saw_broken | ~torch.isfinite(reward) | ~torch.isfinite(step["next_obs"]).all(dim=1)
            self.num_rejected += broken.sum()
        super().process_env_step(obs, torch.where(broken, 0.0, reward), dones.bool() | broken, {})


def _theta(env: VecEnv, weights: dict[str, float], num_features: int) -> torch.Tensor:
    """Return weights by name in the order of the environment's features. Shape: (num_features,)."""
    names = list(env.unwrapped.observation_manager.active_terms["features"]) if weights else []  # type: ignore
    unknown = set(weights) - set(names)
    if unknown:
        raise ValueError(f"reward.theta: no feature {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return torch.tensor([float(weights.get(name, 0.0)) for name in names] or [0.0] * num_features)
