# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

import onnxruntime
import pytest
import torch

from mereq_algo.networks import GaussianPolicy, PolicyCfg
from mereq_lab.export import (
    DeterministicPolicy,
    ExportError,
    SamplingPolicy,
    check_agreement,
    corner_observations,
    write_model,
)

NUM_OBS, NUM_ACTIONS = 7, 3


@pytest.fixture(scope="module")
def policy() -> GaussianPolicy:
    """With a normaliser that has seen something, and a last layer that is not nearly zero."""
    torch.manual_seed(0)
    policy = GaussianPolicy(NUM_OBS, NUM_ACTIONS, PolicyCfg(hidden_dims=(16, 16)))
    policy.update_normalizer(5.0 + 3.0 * torch.randn(1000, NUM_OBS))
    with torch.no_grad():
        policy.mlp[-1].weight.mul_(100.0)
    return policy.eval()


@pytest.fixture(scope="module")
def exported(policy, tmp_path_factory):
    return write_model(DeterministicPolicy(policy), tmp_path_factory.mktemp("exported"), "policy")


def test_files_hold_normaliser_and_squashing_for_batches_of_any_size(policy, exported):
    session = onnxruntime.InferenceSession(exported.onnx)
    for batch in (1, 5):
        observation = 5.0 + 10.0 * torch.randn(batch, NUM_OBS)
        with torch.no_grad():
            wanted = policy.mlp(policy.normalizer(observation))[:, :NUM_ACTIONS].tanh()
        (found,) = session.run(["action"], {"observation": observation.numpy()})
        torch.testing.assert_close(torch.as_tensor(found), wanted, atol=1e-6, rtol=0.0)
        scripted = torch.jit.load(str(exported.torchscript))(observation)
        torch.testing.assert_close(scripted, wanted, atol=1e-6, rtol=0.0)


def test_sampler_is_mean_and_spread_with_the_callers_noise(policy, tmp_path):
    sampler = write_model(SamplingPolicy(policy), tmp_path, "sampler")
    observation, noise = torch.randn(4, NUM_OBS), torch.randn(4, NUM_ACTIONS)
    with torch.no_grad():
        distribution = policy.distribution(observation)
        wanted = (distribution.mean + distribution.log_std.exp() * noise).tanh()
    feed = {"observation": observation.numpy(), "noise": noise.numpy()}
    (found,) = onnxruntime.InferenceSession(sampler.onnx).run(None, feed)
    torch.testing.assert_close(torch.as_tensor(found), wanted, atol=1e-6, rtol=0.0)
    assert check_agreement(sampler, observation) < 1e-6


def test_agreement_is_found_on_corners(exported):
    corners = corner_observations([-1.0] * NUM_OBS, [2.0] * NUM_OBS, 50)
    assert (corners[0] == -1.0).all() and (corners[1] == 2.0).all()
    assert ((corners == -1.0) | (corners == 2.0)).all() and len(corners.unique(dim=0)) > 30
    assert check_agreement(exported, corners) < 1e-6


@pytest.mark.parametrize("form", ["TorchScript", "ONNX"])
def test_a_file_of_another_policy_is_refused(policy, tmp_path, form):
    exported = write_model(DeterministicPolicy(policy), tmp_path, "policy")
    other = GaussianPolicy(NUM_OBS, NUM_ACTIONS, policy.cfg).eval()
    wrong = write_model(DeterministicPolicy(other), tmp_path, "other")
    if form == "ONNX":
        wrong.onnx.replace(exported.onnx)
    else:
        wrong.torchscript.replace(exported.torchscript)
    with pytest.raises(ExportError, match=f"^{form} differs from the policy by"):
        check_agreement(exported, torch.randn(10, NUM_OBS))


def test_actions_that_are_no_numbers_are_refused(exported):
    with pytest.raises(ExportError, match="nan"):
        check_agreement(exported, torch.full((2, NUM_OBS), torch.nan))
