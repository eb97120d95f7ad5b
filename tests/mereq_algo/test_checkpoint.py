# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policy files: what is read is what was written, and anything else is one clear line."""

import json

import pytest
import safetensors.torch
import torch

from mereq_algo.networks import (
    CheckpointError,
    CheckpointInfo,
    GaussianPolicy,
    PolicyCfg,
    TwinCritic,
    load_checkpoint,
    save_checkpoint,
)


@pytest.fixture
def policy() -> GaussianPolicy:
    torch.manual_seed(0)
    policy = GaussianPolicy(3, 2, PolicyCfg(hidden_dims=(16,), min_log_std=-2.0))
    policy.update_normalizer(torch.randn(64, 3))
    return policy


@pytest.fixture
def critic(policy) -> TwinCritic:
    critic = TwinCritic(3, 2, policy.normalizer)
    for param in critic.parameters():
        torch.nn.init.normal_(param)
    return critic


@pytest.fixture
def path(tmp_path, policy, critic):
    path = tmp_path / "assets" / "prior.safetensors"
    save_checkpoint(path, policy, critic, _info())
    return path


def _info() -> CheckpointInfo:
    return CheckpointInfo("Franka-Erase", 0.02, ["position"], ["force", "ink"], {"seed": 3})


def test_what_is_read_is_what_was_written(path, policy, critic):
    read_policy, read_critic, info = load_checkpoint(path, num_obs=3, num_actions=2, feature_names=["force", "ink"])
    obs, action = torch.randn(8, 3), torch.rand(8, 2)
    assert torch.equal(read_policy(obs), policy(obs))
    assert torch.equal(read_critic(obs, action), critic(obs, action))
    assert read_critic.normalizer is read_policy.normalizer
    assert info == _info()
    assert read_policy.cfg == policy.cfg


def test_nothing_but_the_file_is_left(path):
    assert [file.name for file in path.parent.iterdir()] == ["prior.safetensors"]


def test_failed_write_leaves_the_old_file(path, policy, critic, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, policy, critic, _info())
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"num_obs": 4}, "observations 3, the task has 4"),
        ({"num_actions": 1}, "actions 2, the task has 1"),
        ({"feature_names": ["force"]}, "features"),
        ({"obs_names": ["velocity"]}, "terms of the observation"),
    ],
)
def test_policy_of_another_width_is_refused(path, expected, message):
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path, **expected)


def _write(path, metadata, tensors=None):
    safetensors.torch.save_file(tensors or {"x": torch.zeros(1)}, path, metadata)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "not found"),
        (lambda path: path.write_bytes(path.read_bytes()[:-50]), "damaged"),
        (lambda path: path.write_bytes(b"\x80\x04not safetensors"), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: _write(path, None), "not a policy file"),
        (lambda path: _write(path, {"format": "mereq-policy", "version": "99"}), "version 99"),
        (lambda path: _write(path, {"format": "mereq-policy", "version": "1", "header": "{"}), "damaged"),
        (lambda path: _write(path, {"format": "mereq-policy", "version": "1", "header": json.dumps({})}), "damaged"),
    ],
)
def test_bad_file_gives_one_clear_line(path, damage, message):
    damage(path)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_tensor_is_damage(path):
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del tensors["policy.mlp.0.weight"]
    _write(path, metadata, tensors)
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)
