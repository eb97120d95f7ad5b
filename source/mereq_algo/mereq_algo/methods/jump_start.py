# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Episodes that begin as the person would go about it, and that the learned policy brings to their end."""

from __future__ import annotations

from typing import Any

import torch
from rsl_rl.env import VecEnv

from ..intervention import SupervisedRollout
from ..networks import GaussianPolicy
from ..ranks import Ranks
from .cloning import Clone, CloningCfg


class JumpStart:
    """Lets a clone of what was seen under supervision begin some robots' episodes; the learned policy goes on.

    What the person wants may lie behind actions that the prior never takes, with nothing to be gained on half of the
    way: nobody grips a parcel at its centre by chance. The clone need not be good. Where it gets there at all, the
    critics see what it is worth, and the policy learns to go on from there. When it hands over is drawn for each
    episode, so that all of the way is learned from.

    Reference:
        - Uchendu et al. "Jump-start reinforcement learning." ICML 2023, PMLR 202.
    """

    def __init__(
        self,
        env: VecEnv,
        prior: GaussianPolicy,
        cfg: CloningCfg,
        share: float,
        seed: int = 0,
        ranks: Ranks | None = None,
    ) -> None:
        """Start without having seen anything.

        Args:
            env: Where the policy learns.
            prior: What the clone starts from.
            cfg: How it is fitted.
            share: Share of the robots that are guided. Range: [0, 1]
            seed: Seed of its actions, and of when it hands over.
            ranks: Processes that learn as one; the first has seen the person.
        """
        self._env = env
        self._clone = Clone(prior, cfg, only_person=False, seed=seed)
        self._ranks = ranks or Ranks()
        self._share = share
        self._num_guided = 0
        self._generator = torch.Generator(env.device).manual_seed(seed)
        self._hands_over_at = torch.zeros(0, device=env.device)

    def add(self, rollout: SupervisedRollout) -> None:
        """Keep what the person did, and what they let pass."""
        self._clone.add(rollout)

    def prepare(self, first_measured: int) -> JumpStart | None:
        """Fit the clone to everything seen so far.

        Args:
            first_measured: Robots before this one are guided at most: the features of the others are the policy's.

        Returns:
            Itself; nothing where no robot is to be guided, or where the person has not acted yet.
        """
        self._num_guided = min(round(self._share * self._env.num_envs), first_measured)
        if not self._ranks.from_first(self._num_guided > 0 and self._clone.has_seen_person):
            return None
        if self._ranks.is_first:
            self._clone.fit()
        if self._ranks.world_size > 1:
            weights = {name: value.cpu() for name, value in self._clone.policy.state_dict().items()}
            self._clone.policy.load_state_dict(self._ranks.from_first(weights))
        self._hands_over_at = self._draw_steps()
        return self

    @torch.no_grad()
    def __call__(self, obs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Replace the actions of guided robots until their episode is handed over.

        Args:
            obs: What the policy sees. Shape: (num_envs, num_obs)
            actions: What it would do. Shape: (num_envs, num_actions)

        Returns:
            Shape: (num_envs, num_actions)
        """
        guided = slice(0, self._num_guided)
        step = self._env.episode_length_buf[guided].to(self._env.device)
        self._hands_over_at = torch.where(step == 0, self._draw_steps(), self._hands_over_at)
        by_clone = self._clone.policy.sample(obs[guided], self._generator)[0].nan_to_num(0.0)
        is_guided = (step < self._hands_over_at).unsqueeze(1)
        result = actions.clone()
        result[guided] = torch.where(is_guided, by_clone, actions[guided])
        return result

    def _draw_steps(self) -> torch.Tensor:
        """Return for each guided robot after how many steps of an episode the clone hands over."""
        length = int(torch.as_tensor(self._env.max_episode_length).max())
        return torch.rand(self._num_guided, generator=self._generator, device=self._env.device) * length

    def state_dict(self) -> dict[str, Any]:
        """Return the clone and what it has seen."""
        return {"clone": self._clone.state_dict(), "generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._clone.load_state_dict(state["clone"])
        self._generator.set_state(state["generator"].cpu())
