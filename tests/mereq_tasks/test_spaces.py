# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How large observations can get, from terms made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from isaaclab.managers import ObservationTermCfg

from mereq_tasks.quantity import measures
from mereq_tasks.spaces import observation_space, term_bounds


@measures("m", "base", (-1.0, 0.0), 2.0)
def measured(env):
    raise NotImplementedError


def unmeasured(env):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("term", "low", "high"),
    [
        (ObservationTermCfg(func=measured), [-1.0, 0.0], [2.0, 2.0]),
        # A clip counts before the scale; it cannot widen what the function gives.
        (ObservationTermCfg(func=measured, clip=(-0.5, 9.0), scale=4.0), [-2.0, 0.0], [8.0, 8.0]),
        # Isaac Lab's managers turn scales into tensors.
        (ObservationTermCfg(func=measured, scale=torch.tensor([2.0, 3.0])), [-2.0, 0.0], [4.0, 6.0]),
        (ObservationTermCfg(func=unmeasured, clip=(0.0, 1.0)), [0.0, 0.0], [1.0, 1.0]),
    ],
)
def test_bounds_are_those_of_the_function_clipped_and_scaled(term, low, high):
    assert term_bounds(term, 2) == (low, high)


def manager(*terms: ObservationTermCfg) -> SimpleNamespace:
    names = [f"term{number}" for number in range(len(terms))]
    shapes = [(2,)] * len(terms)
    return SimpleNamespace(
        active_terms={"policy": names}, _group_obs_term_cfgs={"policy": terms}, group_obs_term_dim={"policy": shapes}
    )


def test_a_space_has_its_terms_one_after_the_other():
    terms = ObservationTermCfg(func=measured), ObservationTermCfg(func=unmeasured, clip=(0.0, 1.0))
    space = observation_space(manager(*terms), "policy")
    assert space.low.tolist() == [-1.0, 0.0, 0.0, 0.0] and space.high.tolist() == [2.0, 2.0, 1.0, 1.0]


def test_a_term_without_bounds_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"policy\.term1 has no bounds: give it a clip, or decorate unmeasured with"):
        observation_space(manager(ObservationTermCfg(func=measured), ObservationTermCfg(func=unmeasured)), "policy")
