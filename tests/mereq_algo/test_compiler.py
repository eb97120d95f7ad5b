# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The losses can be compiled as a whole, and a machine that cannot compile is told so."""

from __future__ import annotations

import importlib.util
import shutil
import sysconfig
import warnings

import pytest
import torch

from mereq_algo.residual import compiler, updates

from .analytic_envs import LinearEnv, linear_gaussian_policy
from .test_residual_sac import _build, _learn


@pytest.mark.parametrize("has_prior", [True, False])
def test_compiled_losses_learn_the_same(monkeypatch, has_prior):
    """On a GPU the whole of each loss is compiled. Here by the part of the compiler that needs no GPU."""

    def learned() -> dict[str, torch.Tensor]:
        prior = linear_gaussian_policy(gain=0.8, offset=0.3, std=0.4) if has_prior else None
        env = LinearEnv()
        algorithm = _build(env, prior, theta=(0.5, -0.5), prior_floor=0.1)
        if is_compiled:
            for name in ("_critic_loss", "_policy_loss"):
                whole = torch.compile(
                    getattr(algorithm.updates, name), fullgraph=True, dynamic=False, backend="aot_eager"
                )
                monkeypatch.setattr(algorithm.updates, name, whole)
        _learn(algorithm, env, 10)
        assert algorithm.num_updates > 5
        return {**algorithm.policy.state_dict(), **algorithm.updates.target_critic.state_dict()}

    is_compiled = False
    expected = learned()
    is_compiled = True
    for name, value in learned().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5, msg=name)


def test_a_cpu_does_not_compile(monkeypatch):
    monkeypatch.setattr(updates.torch, "compile", lambda *_, **__: pytest.fail("compiled"))
    _build(LinearEnv())


@pytest.fixture
def asked_anew():
    compiler.can_compile.cache_clear()
    yield
    compiler.can_compile.cache_clear()


@pytest.mark.usefixtures("asked_anew")
def test_what_is_missing_is_named_once(monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    with pytest.warns(UserWarning, match="learning takes longer.*Triton.* or a C compiler.* or the headers of Python"):
        assert not compiler.can_compile()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not compiler.can_compile()


@pytest.mark.usefixtures("asked_anew")
def test_a_compiler_that_is_named_is_enough(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", "/opt/bin/icx")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    (tmp_path / "Python.h").touch()
    assert compiler.can_compile()
