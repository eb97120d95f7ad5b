# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether exported files say what the live policy says."""

from __future__ import annotations

from collections.abc import Sequence

import onnxruntime
import torch

from mereq_algo.errors import UserError

from .write import ExportedModel

TOLERANCE = 1e-5
"""Largest difference of an action, whose range is [-1, 1]: 0.5 µm of a step of 5 cm."""


class ExportError(UserError):
    """An exported policy differs from the live one. The message is one line."""


def corner_observations(low: Sequence[float], high: Sequence[float], count: int, seed: int = 0) -> torch.Tensor:
    """Return corners of the observation's ranges: both extreme ones, and others drawn at random, since there are 2ⁿ.

    Args:
        low: Least value of each component.
        high: Greatest value.
        count: How many. Range: >= 2.
        seed: Of the draw.

    Returns:
        Shape: (count, num_obs)
    """
    lowest, highest = (torch.tensor(bound, dtype=torch.float32) for bound in (low, high))
    generator = torch.Generator().manual_seed(seed)
    is_high = torch.rand(count, len(lowest), generator=generator) < 0.5
    is_high[0], is_high[1] = False, True
    return torch.where(is_high, highest, lowest)


@torch.no_grad()
def check_agreement(exported: ExportedModel, observations: torch.Tensor, seed: int = 0) -> float:
    """Compare both files with the live policy.

    Args:
        exported: The network and its files.
        observations: What to compare on. Shape: (count, num_obs)
        seed: Of the noise, for a network that takes some.

    Returns:
        The largest difference of an action.

    Raises:
        ExportError: It is beyond :obj:`TOLERANCE`, or not a number.
    """
    policy = exported.module.policy
    noise = torch.randn(len(observations), policy.num_actions, generator=torch.Generator().manual_seed(seed))
    inputs = [{"observation": observations, "noise": noise}[name] for name in exported.module.inputs]
    live = exported.module(*inputs)
    scripted = torch.jit.load(str(exported.torchscript))(*inputs)
    session = onnxruntime.InferenceSession(exported.onnx, providers=["CPUExecutionProvider"])
    feed = {name: tensor.numpy() for name, tensor in zip(exported.module.inputs, inputs, strict=True)}
    onnx = torch.as_tensor(session.run(None, feed)[0])
    worst = 0.0
    for form, found in (("TorchScript", scripted), ("ONNX", onnx)):
        difference = float((found - live).abs().max())
        if not difference <= TOLERANCE:
            raise ExportError(
                f"{form} differs from the policy by {difference:.1e} (at most {TOLERANCE:.0e} is let pass):"
                f" {exported.torchscript if form == 'TorchScript' else exported.onnx}"
            )
        worst = max(worst, difference)
    return worst
