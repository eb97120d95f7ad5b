# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Residual PPO in the place of residual SAC, for a loop that steps and learns."""

from __future__ import annotations

import copy
from typing import Any

import torch
from rsl_rl.env import VecEnv
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from ..networks import GaussianPolicy
from .ppo import ResidualPPO
from .ppo_actor import PolicyActor
from .ppo_cfg import ResidualPPOCfg
from .reward import LinearReward
from .sac import Guide
from .sac_cfg import ResidualSACCfg

OBS_GROUPS = {"actor": ["policy"], "critic": ["policy"]}


class OnPolicyLearning:
    """:class:`ResidualPPO` as an :class:`Algorithm`.

    An update is due when ``num_steps_per_env`` steps of all robots are there.
    """

    is_off_policy = False
    """Learning follows the steps that it learns from, instead of going on beside them."""

    def __init__(
        self,
        env: VecEnv,
        reward: LinearReward,
        cfg: ResidualPPOCfg,
        shared: ResidualSACCfg,
        start: GaussianPolicy,
        anchored: bool,
        seed: int = 0,
    ) -> None:
        """Build the algorithm around a copy of a policy.

        Args:
            env: Gives the number of robots, the widths of observation and action, and the device.
            reward: The residual reward; the caller may change its θ.
            cfg: Settings of PPO.
            shared: Discount, temperatures, weight and floor of the prior.
            start: The policy to start from; with an anchor also the prior.
            anchored: Whether the policy is anchored to it.
            seed: Seed of initial weights, exploration and the order of batches.
        """
        self.cfg, self.reward = cfg, reward
        self.device = torch.device(env.device)
        self.policy = copy.deepcopy(start).to(self.device)
        self._generator = torch.Generator(self.device).manual_seed(seed)
        self._shuffle_seed = seed
        obs = env.get_observations()
        storage = RolloutStorage("rl", env.num_envs, cfg.num_steps_per_env, obs, [env.num_actions], str(self.device))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            actor = PolicyActor(
                obs, OBS_GROUPS, "actor", env.num_actions, policy=self.policy, learns_normalizer=not anchored
            )
            critic = MLPModel(obs, OBS_GROUPS, "critic", 1, list(shared.critic.hidden_dims))
        actor.distribution.generator = self._generator  # type: ignore[union-attr]
        critic.obs_normalizer = self.policy.normalizer
        self.ppo = ResidualPPO(
            actor,
            critic,
            storage,
            reward,
            temperature=shared.temperature,
            prior_temperature=shared.prior_temperature,
            prior_weight=shared.prior_weight,
            prior_floor=shared.prior_floor,
            anchored=anchored,
            device=str(self.device),
            gamma=shared.gamma,
            num_learning_epochs=cfg.num_learning_epochs,
            num_mini_batches=cfg.num_mini_batches,
            clip_param=cfg.clip_param,
            lam=cfg.lam,
            learning_rate=cfg.learning_rate,
            desired_kl=cfg.desired_kl,
            max_grad_norm=cfg.max_grad_norm,
            use_clipped_value_loss=False,  # its clip is in units of reward, and those are θ's
        )
        self.num_updates = 0

    @property
    def temperature(self) -> float:
        """α̂, the temperature of the learned policy [reward/nat]."""
        return self.ppo.temperature

    @property
    def prior_temperature(self) -> float:
        """ωα, the weight of log π; 0 without a prior [reward/nat]."""
        return 0.0 if self.ppo.anchor is None else self.ppo.anchor.temperature

    @property
    def num_rejected(self) -> torch.Tensor:
        """Number of steps that taught nothing because a value was not finite. Shape: ()."""
        return self.ppo.num_rejected

    def begin(self) -> None:
        """Forget an unfinished rollout: time has passed since, and θ and the policy may be others."""
        self.ppo.storage.clear()
        self.ppo.transition.clear()

    def store(self, transitions: TensorDict) -> None:
        """Ignore what others did: an on-policy algorithm learns from its own steps alone."""

    @torch.no_grad()
    def act(self, obs: TensorDict, guide: Guide | None = None) -> torch.Tensor:
        """Sample actions for all robots; see :meth:`ResidualSAC.act`.

        Raises:
            ValueError: There is a guide, whose actions would not be the policy's.
        """
        if guide is not None:
            raise ValueError("residual PPO: a guide needs an off-policy learner")
        return self.ppo.act(obs)

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, Any]
    ) -> TensorDict:
        """Record the step that followed :meth:`act`; see :meth:`ResidualSAC.process_env_step`."""
        self.ppo.process_env_step(obs, rewards, dones, extras)
        if self._is_full:
            self.ppo.compute_returns(obs)
        assert self.ppo.last_transition is not None
        return self.ppo.last_transition

    @property
    def _is_full(self) -> bool:
        return self.ppo.storage.step == self.cfg.num_steps_per_env

    def update(self) -> dict[str, torch.Tensor]:
        """Learn from a rollout where one is complete, and return losses; nothing where none is."""
        if not self._is_full:
            return {}
        # rsl_rl shuffles with the global generator, from which environments draw as well.
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self._shuffle_seed + self.num_updates)
            losses = self.ppo.update()
        self.num_updates += 1
        return {name: torch.tensor(value) for name, value in losses.items()}

    def scale_learning_rate(self, scale: float) -> None:
        """Set how far an update may move the policy to a multiple of the configured distance. Range: > 0."""
        self.ppo.desired_kl = scale**2 * self.cfg.desired_kl  # small moves cost the square of their length

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on between two rollouts; the prior is not part of it."""
        return {
            "ppo": self.ppo.save(),
            "generator": self._generator.get_state(),
            "num_updates": self.num_updates,
            "num_rejected": self.ppo.num_rejected.clone(),
            "reward": self.reward.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.ppo.load(state["ppo"], None, strict=True)
        self._generator.set_state(state["generator"].cpu())
        self.num_updates = state["num_updates"]
        self.ppo.num_rejected.copy_(state["num_rejected"])
        self.reward.load_state_dict(state["reward"])
