# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""From one step of the environment to transitions that never cross a reset."""

from __future__ import annotations

from typing import Any

import torch
from tensordict import TensorDict

from ..errors import UserError


class BrokenPhysicsError(UserError):
    """Physics broke in all robots that count, so there is nothing to learn from. The message is one line."""


def transition_from_step(
    obs: torch.Tensor,
    actions: torch.Tensor,
    next_obs: TensorDict,
    rewards: torch.Tensor,
    dones: torch.Tensor,
    extras: dict[str, Any],
) -> TensorDict:
    """Put one step of a :class:`rsl_rl.env.VecEnv` into the form that the replay buffer stores.

    After a reset ``next_obs`` belongs to the next episode. What followed the action, features included, is then in
    ``extras["final_obs"]``, which is stale for all robots that are not done. A time-out is not the task's doing, so it
    bootstraps from its own last observation; a termination does not bootstrap.

    Args:
        obs: Observation before the step. Shape: (num_envs, num_obs)
        actions: Action taken. Shape: (num_envs, num_actions)
        next_obs: What ``step()`` returned, with the groups ``policy`` and ``features``.
        rewards: The task's own reward. Shape: (num_envs,)
        dones: Whether the robot was reset. Shape: (num_envs,)
        extras: What ``step()`` returned; ``time_outs`` and ``final_obs`` are used.

    Returns:
        The transitions: ``obs``, ``action``, ``features``, ``base_reward``, ``next_obs``, ``terminated``. Where the
        environment reset a robot without telling its final observation, the row is NaN, and the buffer refuses it.
    """
    dones = dones.bool()
    time_outs = extras.get("time_outs")
    terminated = dones if time_outs is None else dones & ~time_outs.bool()
    return TensorDict(
        {
            "obs": obs,
            "action": actions,
            "features": before_reset("features", next_obs, dones, extras),
            "base_reward": rewards.clone(),  # Isaac Lab writes the next step's into the same memory
            "next_obs": before_reset("policy", next_obs, dones, extras),
            "terminated": terminated,
        },
        batch_size=[obs.shape[0]],
        device=obs.device,
    )


def before_reset(group: str, next_obs: TensorDict, dones: torch.Tensor, extras: dict[str, Any]) -> torch.Tensor:
    """Return what a group of observations was after a step, before any robot was reset.

    Args:
        group: Name of the group.
        next_obs: What ``step()`` returned.
        dones: Whether the robot was reset. Shape: (num_envs,)
        extras: What ``step()`` returned; ``final_obs`` is used.

    Returns:
        NaN where the environment reset a robot without telling. Shape: (num_envs, width)
    """
    final_obs = extras.get("final_obs")
    final = torch.full_like(next_obs[group], torch.nan) if final_obs is None else final_obs[group]
    return torch.where(dones.bool().unsqueeze(-1), final, next_obs[group])
