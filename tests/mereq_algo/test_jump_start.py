# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Episodes that a clone of the person begins and the learned policy ends."""

from __future__ import annotations

import pytest
import torch
from tensordict import TensorDict

from mereq_algo.intervention import SupervisedRollout
from mereq_algo.methods import CloningCfg, JumpStart
from mereq_algo.records import RunFolder
from mereq_algo.runner import SupervisionRunner, TimedEnv

from .supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained

NUM_ENVS, LENGTH = 400, 5


def watched(by_person: bool = True) -> SupervisedRollout:
    """Ten robots of which somebody pushes each by 0.5, whatever its state."""
    generator = torch.Generator().manual_seed(0)
    shape = (50, 10, 1)
    obs = 2.0 * torch.rand(shape, generator=generator) - 1.0
    action = (0.5 + 0.1 * torch.randn(shape, generator=generator)).tanh()
    features = torch.cat((obs, action), dim=-1)
    transitions = TensorDict({"obs": obs, "action": action, "features": features}, batch_size=shape[:2])
    flags = torch.full(shape[:2], by_person)
    episode = torch.zeros(shape[:2], dtype=torch.long)
    return SupervisedRollout(transitions, action, flags, torch.zeros_like(flags), episode)


@pytest.fixture
def env() -> SupervisedLinearEnv:
    return SupervisedLinearEnv(NUM_ENVS, max_episode_length=LENGTH)


def jump_start(env: SupervisedLinearEnv, share: float, rollout: SupervisedRollout) -> JumpStart:
    cfg = CloningCfg(learning_rate=1e-2, updates_per_round=1_000)
    made = JumpStart(env, trained(0.0).policy, cfg, share)
    made.add(rollout)
    return made


def test_the_clone_begins_episodes_and_hands_over_once_in_each(env):
    guide = jump_start(env, 0.5, watched()).prepare(first_measured=NUM_ENVS)
    assert guide is not None
    own = torch.zeros(NUM_ENVS, 1)
    by_clone = []
    for _ in range(LENGTH):
        actions = guide(env.get_observations()["policy"], own)
        by_clone.append((actions != own).squeeze(1))
        # What the person did, not what the prior would do: it pushes by 0.
        torch.testing.assert_close(actions[by_clone[-1]].mean(), torch.tensor(0.5).tanh(), atol=0.03, rtol=0.0)
        env.step(actions)
    flags = torch.stack(by_clone)
    assert not flags[:, NUM_ENVS // 2 :].any(), "a robot was guided that should not have been"
    assert not (flags[1:] & ~flags[:-1]).any(), "the clone came back within an episode"
    # Handing over is drawn evenly over the episode, so the clone acts in the first step and ever less often after it.
    rates = flags[:, : NUM_ENVS // 2].float().mean(dim=1)
    torch.testing.assert_close(rates, torch.tensor([1.0, 0.8, 0.6, 0.4, 0.2]), atol=0.1, rtol=0.0)
    # The next episode begins with the clone again.
    assert (guide(env.get_observations()["policy"], own) != own)[: NUM_ENVS // 2].all()


def test_robots_that_are_measured_are_never_guided(env):
    guide = jump_start(env, 0.5, watched()).prepare(first_measured=30)
    assert guide is not None
    actions = guide(env.get_observations()["policy"], torch.zeros(NUM_ENVS, 1))
    assert (actions != 0.0).squeeze(1).tolist() == [robot < 30 for robot in range(NUM_ENVS)]


def test_nobody_is_guided_before_the_person_has_acted(env):
    assert jump_start(env, 0.5, watched(by_person=False)).prepare(first_measured=NUM_ENVS) is None
    assert jump_start(env, 0.0, watched()).prepare(first_measured=NUM_ENVS) is None


def test_what_it_has_seen_survives_a_restart(env):
    first = jump_start(env, 0.5, watched())
    second = JumpStart(env, trained(0.0).policy, CloningCfg(learning_rate=1e-2, updates_per_round=1_000), 0.5)
    second.load_state_dict(first.state_dict())
    obs, own = env.get_observations()["policy"], torch.zeros(NUM_ENVS, 1)
    actions = [made.prepare(NUM_ENVS)(obs, own) for made in (first, second)]
    torch.testing.assert_close(*actions, atol=0.0, rtol=0.0)


def test_a_guided_run_moves_towards_the_person(tmp_path):
    cfg = small_cfg()
    cfg.inner.guided_share = 0.25
    env = TimedEnv(SupervisedLinearEnv(64))
    folder = RunFolder.create(tmp_path, "Linear", "test")
    record = SupervisionRunner(env, SPEC, trained(0.0), trained(1.0), cfg, folder).learn()
    assert record.expert_return_gap_closed is not None and record.expert_return_gap_closed > 0.5
    # The learner's features are the policy's: those of guided robots would show the person's from the first step on.
    assert record.feature_expectation["learner"]["push"] < record.feature_expectation["target"]["push"] + 0.05
