# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Updates that are played back on a GPU: the same numbers as launched ones, and nobody waits for the device."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from tensordict import TensorDict

from mereq_algo.methods import FeatureWindow
from mereq_algo.networks import CriticCfg, GaussianPolicy, PolicyCfg, TwinCritic
from mereq_algo.residual import (
    LinearReward,
    PriorAnchor,
    ResidualSAC,
    ResidualSACCfg,
    SuccessorFeatures,
    recorded_updates,
)
from mereq_algo.storage import ReplayBuffer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

ROBOTS, OBS, ACTIONS, FEATURES = 64, 6, 2, 3


def make(seed: int = 0, learns_psi: bool = False, **settings) -> ResidualSAC:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        prior = GaussianPolicy(OBS, ACTIONS, PolicyCfg(hidden_dims=(32, 32)))
        policy = GaussianPolicy(OBS, ACTIONS, prior.cfg)
        policy.load_state_dict(prior.state_dict())
        critic = TwinCritic(OBS, ACTIONS, policy.normalizer, CriticCfg(hidden_dims=(32, 32)))
        psi = SuccessorFeatures(policy, FEATURES, critic.cfg) if learns_psi else None
    storage = ReplayBuffer(4_096, OBS, ACTIONS, FEATURES, "cuda", PriorAnchor.columns(ACTIONS))
    reward = LinearReward(0.0, torch.tensor([1.0, -0.5, 0.2]))
    cfg = ResidualSACCfg(learning_starts=1, **settings)
    return ResidualSAC(policy, critic, storage, reward, ROBOTS, cfg, prior, seed, successor_features=psi)


def transitions(generator: torch.Generator) -> TensorDict:
    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(ROBOTS, *shape, generator=generator, device="cuda")

    values = {"obs": draw(OBS), "action": draw(ACTIONS).tanh(), "features": draw(FEATURES), "next_obs": draw(OBS)}
    values |= {"base_reward": draw(), "terminated": torch.zeros(ROBOTS, device="cuda")}
    return TensorDict(values, batch_size=[ROBOTS])


def learn(algorithm: ResidualSAC, steps: range) -> dict[str, torch.Tensor]:
    """What changes between updates does: the buffer, θ, the step sizes, other draws from the generator."""
    stats = {}
    for step in steps:
        generator = torch.Generator("cuda").manual_seed(step)
        algorithm.store(transitions(generator))
        algorithm.reward.theta.copy_(torch.tensor([1.0, -0.5, 0.01 * step]))
        algorithm.scale_learning_rate(1.0 - 0.02 * step)
        algorithm.act(TensorDict({"policy": transitions(generator)["obs"]}, batch_size=[ROBOTS]))
        stats = algorithm.update(2)
    return stats


@pytest.fixture
def launched(monkeypatch) -> Iterator[pytest.MonkeyPatch]:
    """Nothing is recorded meanwhile."""
    with monkeypatch.context() as patch:
        patch.setattr(recorded_updates, "WARM_UP", 10**9)
        yield patch


SETTINGS = [
    {},
    {"actor_interval": 2},
    {"target_entropy": -2.0},
    {"learns_psi": True, "actor_interval": 2},
    {"prior_floor": 0.01},
    {"prior_floor": 0.01, "compile_losses": False},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_played_back_is_as_launched(launched, settings):
    wanted = make(**settings)
    expected = learn(wanted, range(20))
    launched.undo()
    recorded = make(**settings)
    found = learn(recorded, range(20))
    assert all(series._graph is not None for series in recorded.updates.series.values())
    for ours, theirs in zip(recorded.policy.parameters(), wanted.policy.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(
        recorded.updates.target_critic.parameters(), wanted.updates.target_critic.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    if recorded.successor_features is not None and wanted.successor_features is not None:
        step = transitions(torch.Generator("cuda").manual_seed(0))
        ours, theirs = (
            psi(step["obs"], step["action"]) for psi in (recorded.successor_features, wanted.successor_features)
        )
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-4)


def test_a_run_goes_on_from_its_state():
    wanted = make()
    learn(wanted, range(20))
    first = make()
    learn(first, range(10))
    second = make()
    learn(second, range(30, 35))  # it has a graph of its own by then
    second.load_state_dict(first.state_dict())
    learn(second, range(10, 20))
    for ours, theirs in zip(second.policy.parameters(), wanted.policy.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_nobody_waits_for_the_device():
    algorithm, window = make(), FeatureWindow(10, slice(8, None))
    learn(algorithm, range(10))
    step = transitions(torch.Generator("cuda").manual_seed(0))
    obs = TensorDict({"policy": step["obs"], "features": step["features"]}, batch_size=[ROBOTS])
    extras = {"time_outs": torch.zeros(ROBOTS, dtype=torch.bool, device="cuda")}
    for _ in range(10):  # it looks once whether there is enough to learn from, and records what is due for a step
        algorithm.update()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            algorithm.act(obs)
            transition = algorithm.process_env_step(obs, step["base_reward"], step["terminated"].long(), extras)
            window.add(transition["features"])
            algorithm.update()
    finally:
        torch.cuda.set_sync_debug_mode("default")
