# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Training on a known reward, from scratch and from a policy."""

from __future__ import annotations

import pytest
import torch

from mereq_algo.residual import ResidualSACCfg
from mereq_algo.runner import train_policy

from .analytic_envs import LinearEnv
from .supervised_env import trained

OBS = torch.linspace(-0.9, 0.9, 19).unsqueeze(-1)
CFG = {"gamma": 0.5, "learning_rate": 3e-3, "temperature": 0.005, "learning_starts": 64}


def pre_tanh_mean(policy) -> torch.Tensor:
    with torch.no_grad():
        return policy.distribution(OBS).mean


def test_a_start_is_where_training_starts_and_stays_as_it_was():
    start = trained(0.4)
    before = pre_tanh_mean(start.policy)
    # No update is due in the first step.
    algorithm = train_policy(LinearEnv(), torch.zeros(2), 1, ResidualSACCfg(**CFG), start=start)
    torch.testing.assert_close(pre_tanh_mean(algorithm.policy), before, atol=1e-3, rtol=0.0)
    for critic in (algorithm.critic, algorithm.updates.target_critic):
        assert torch.equal(critic(OBS, OBS), start.critic(OBS, OBS))
    train_policy(LinearEnv(), torch.zeros(2), 50, ResidualSACCfg(**CFG), start=start)
    assert torch.equal(pre_tanh_mean(start.policy), before)


@pytest.mark.parametrize("start", [None, trained(0.4)], ids=["from scratch", "from a policy"])
def test_theta_counts_beside_the_tasks_reward(start):
    # r = -s'^2 with s' = 0.5 s + 0.5 u is best at u = -s, on average 0. With -0.25 (u - 1)^2 on top the best of one
    # step is u = 0.5 - 0.5 s, on average 0.5, and a little less since a smaller s' is worth something in the next.
    features = (lambda s, u, n: -0.25 * (u - 1.0) ** 2,)
    shift = []
    for theta in (0.0, 1.0):
        torch.manual_seed(0)  # or what other tests drew before would decide how the networks begin
        env = LinearEnv(seed=5, features=features)
        algorithm = train_policy(env, torch.tensor([theta]), 300, ResidualSACCfg(**CFG), start=start)
        shift.append(float(pre_tanh_mean(algorithm.policy).mean()))
    assert shift[0] == pytest.approx(0.0, abs=0.15)
    assert 0.3 < shift[1] < 0.6
