# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Replay buffer, and transitions that never cross a reset."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensordict import TensorDict

from mereq_algo.networks.tanh_normal import inverse_tanh
from mereq_algo.residual import LinearReward
from mereq_algo.storage import ReplayBuffer, transition_from_step

from .analytic_envs import LinearEnv


def _transitions(values: list[float]) -> TensorDict:
    """One transition for each value, which stands in every field."""
    column = torch.tensor(values).unsqueeze(-1)
    return TensorDict(
        {
            "obs": column,
            "action": column,
            "features": column.expand(-1, 2),
            "base_reward": column.squeeze(-1),
            "next_obs": column,
            "terminated": torch.zeros(len(values), dtype=torch.bool),
        },
        batch_size=[len(values)],
    )


def _build_buffer(capacity: int = 8) -> ReplayBuffer:
    return ReplayBuffer(capacity, num_obs=1, num_actions=1, num_features=2)


def _rollout(env: LinearEnv, num_steps: int) -> list[tuple[TensorDict, torch.Tensor]]:
    """Transitions of random actions, and which robots were done."""
    generator = torch.Generator().manual_seed(1)
    obs, steps = env.get_observations(), []
    for _ in range(num_steps):
        actions = 1.8 * torch.rand(env.num_envs, 1, generator=generator) - 0.9
        next_obs, rewards, dones, extras = env.step(actions)
        steps.append((transition_from_step(obs["policy"], actions, next_obs, rewards, dones, extras), dones.bool()))
        obs = next_obs
    return steps


def test_no_transition_crosses_a_reset():
    # s' = 0.5 s + 0.5 u holds for every step of every episode; a new episode begins anywhere in [-1, 1].
    env = LinearEnv(max_episode_length=3, bound=0.8, features=(lambda s, u, n: n,))
    steps = _rollout(env, 20)
    assert any(done.any() for _, done in steps)
    for transition, _ in steps:
        expected = 0.5 * transition["obs"] + 0.5 * inverse_tanh(transition["action"])
        torch.testing.assert_close(transition["next_obs"], expected)
        torch.testing.assert_close(transition["features"], expected)


def test_time_out_bootstraps_and_termination_does_not():
    env = LinearEnv(num_envs=256, max_episode_length=3, bound=0.8)
    time_outs, terminations = 0, 0
    for transition, done in _rollout(env, 20):
        left_the_bound = transition["next_obs"].squeeze(-1).abs() > 0.8
        assert torch.equal(transition["terminated"], left_the_bound)
        terminations += int(transition["terminated"].sum())
        time_outs += int((done & ~transition["terminated"]).sum())
    assert time_outs > 0 and terminations > 0


def test_reset_without_final_observation_never_enters_the_buffer():
    obs = TensorDict({"policy": torch.ones(3, 1), "features": torch.ones(3, 2)}, batch_size=[3])
    dones = torch.tensor([0, 1, 0])
    extras = {"time_outs": torch.tensor([False, True, False])}
    buffer = _build_buffer()
    buffer.add(transition_from_step(torch.zeros(3, 1), torch.zeros(3, 1), obs, torch.zeros(3), dones, extras))
    assert len(buffer) == 2
    assert int(buffer.num_rejected) == 1


@pytest.mark.parametrize("field", ["obs", "action", "features", "base_reward", "next_obs"])
@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_rows_that_are_not_finite_are_left_out_and_counted(field, broken):
    transitions = _transitions([0.0, 1.0, 2.0])
    transitions[field] = transitions[field].clone()
    transitions[field][1] = broken
    buffer = _build_buffer()
    buffer.add(transitions)
    assert int(buffer.num_rejected) == 1
    assert set(buffer.sample(200)["obs"].flatten().tolist()) == {0.0, 2.0}


@settings(deadline=None, max_examples=50)
@given(
    batches=st.lists(
        st.lists(st.floats(-100, 100, width=32) | st.just(float("nan")), min_size=1, max_size=5), max_size=8
    )
)
def test_buffer_holds_the_newest_finite_rows_in_order(batches):
    buffer = _build_buffer(capacity=7)
    for batch in batches:
        buffer.add(_transitions(batch))
    finite = [value for batch in batches for value in batch if value == value]
    assert buffer.latest(100)["obs"].flatten().tolist() == finite[::-1][:7]
    assert int(buffer.num_rejected) == sum(map(len, batches)) - len(finite)
    assert buffer.num_offered == sum(map(len, batches))


def test_sampling_is_uniform_over_what_is_stored():
    buffer = _build_buffer(capacity=100)
    buffer.add(_transitions([0.0, 1.0, 2.0, 3.0]))
    values = buffer.sample(8_000, torch.Generator().manual_seed(0))["obs"].flatten().long()
    # 2,000 of each expected, with a standard deviation of sqrt(8000 * 1/4 * 3/4) = 39.
    assert (values.bincount() - 2_000).abs().max() < 4 * 39


def test_sample_gives_fields_in_their_shapes():
    buffer = _build_buffer()
    buffer.add(_transitions([1.0, 2.0]))
    batch = buffer.sample(5)
    assert batch["features"].shape == (5, 2)
    assert batch["base_reward"].shape == batch["terminated"].shape == (5,)


def test_relabelling_changes_the_reward_of_a_stored_transition():
    buffer = _build_buffer()
    transitions = _transitions([1.0])
    transitions["features"] = torch.tensor([[2.0, 3.0]])
    transitions["base_reward"] = torch.tensor([5.0])
    buffer.add(transitions)
    residual = LinearReward(0.0, torch.tensor([1.0, -1.0]), feature_scale=torch.tensor([0.5, 1.0]))
    # 1 * 2 / 0.5 - 1 * 3 / 1 = 1
    assert float(residual(buffer.sample(1))) == pytest.approx(1.0)
    residual.theta.copy_(torch.tensor([0.5, 2.0]))
    # 0.5 * 2 / 0.5 + 2 * 3 / 1 = 8
    assert float(residual(buffer.sample(1))) == pytest.approx(8.0)
    expert = LinearReward(1.0, torch.tensor([0.5, 2.0]), feature_scale=torch.tensor([0.5, 1.0]))
    assert float(expert(buffer.sample(1))) == pytest.approx(5.0 + 8.0)


def test_state_of_the_buffer_survives_a_round_trip():
    buffer, restored = _build_buffer(capacity=3), _build_buffer(capacity=3)
    buffer.add(_transitions([1.0, 2.0]))
    buffer.add(_transitions([3.0, float("nan")]))
    restored.load_state_dict(buffer.state_dict())
    for current in (buffer, restored):
        current.add(_transitions([4.0]))
    assert restored.latest(9)["obs"].flatten().tolist() == buffer.latest(9)["obs"].flatten().tolist() == [4.0, 3.0, 2.0]
    assert int(restored.num_rejected) == 1


def test_wrong_sizes_are_refused():
    buffer = _build_buffer(capacity=2)
    with pytest.raises(ValueError, match="capacity of 2"):
        buffer.add(_transitions([1.0, 2.0, 3.0]))
    transitions = _transitions([1.0])
    transitions["features"] = torch.zeros(1, 3)
    with pytest.raises(ValueError, match="'features' must be 2 wide, got 3"):
        buffer.add(transitions)
    with pytest.raises(ValueError, match="at least 1"):
        _build_buffer(capacity=0)
    with pytest.raises(ValueError, match="positive"):
        LinearReward(0.0, torch.ones(2), feature_scale=torch.zeros(2))
