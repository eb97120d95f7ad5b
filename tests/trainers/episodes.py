# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Recordings as wide as a real task's, without a simulator."""

from __future__ import annotations

import torch
from tensordict import TensorDict

from mereq_algo.meaning import PolicyMeaning
from mereq_algo.recording import RecordedEpisode, RecordingInfo

OBS, ACTIONS = 7, 4
RATE_HZ = 1.0 / 0.035
"""No integer, on purpose."""

INFO = RecordingInfo(
    task="Reach",
    person="Ada",
    policy_sha256="0",
    obs_names=("tool", "goal", "gripper"),
    feature_names=("distance", "force"),
    metric_names=("success",),
    reward_names=("distance",),
    step_s=1.0 / RATE_HZ,
    meaning=PolicyMeaning(RATE_HZ, {"tool.step_size": [0.05, 0.05, 0.05]}),
    obs_columns=("tool_0", "tool_1", "tool_2", "goal_0", "goal_1", "goal_2", "gripper"),
    action_columns=("tool_0", "tool_1", "tool_2", "gripper"),
)


def episodes(number: int = 12, num_steps: int = 40) -> list[RecordedEpisode]:
    """A tool that goes to a goal; a person acts in the second half of each episode."""
    generator = torch.Generator().manual_seed(0)
    return [_episode(num_steps, generator) for _ in range(number)]


def _episode(num_steps: int, generator: torch.Generator) -> RecordedEpisode:
    tool, goal = torch.rand(2, 3, generator=generator)
    obs, actions = [], []
    for _ in range(num_steps + 1):
        obs.append(torch.cat((tool, goal, torch.ones(1))))
        step = ((goal - tool) * 4.0).clamp(-1.0, 1.0)
        actions.append(torch.cat((step, torch.full((1,), 0.5))))
        tool = tool + 0.05 * step + 0.002 * torch.randn(3, generator=generator)
    seen, action = torch.stack(obs), torch.stack(actions)[:num_steps]
    distance = (seen[:num_steps, :3] - seen[:num_steps, 3:6]).norm(dim=1)
    features = torch.stack((distance, torch.rand(num_steps, generator=generator)), dim=1)
    return RecordedEpisode(
        info=INFO,
        transitions=TensorDict(
            {
                "obs": seen[:num_steps],
                "action": action,
                "features": features,
                "base_reward": -distance,
                "next_obs": seen[1:],
                "terminated": torch.zeros(num_steps, dtype=torch.bool),
            },
            batch_size=[num_steps],
        ),
        robot_action=0.5 * action,
        in_control=torch.arange(num_steps) >= num_steps // 2,
        metrics=(distance < 0.1).float().unsqueeze(1),
        reward_terms=-distance.unsqueeze(1),
    )
