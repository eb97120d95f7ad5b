# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The multi-layer perceptron that policies and critics share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn


class OutputLayer(nn.Linear):
    """A last layer, which is computed in float32 where autocast rounds the others to bfloat16.

    What it puts out is a Q of some ten rewards, or the mean of a Gaussian that may be 0.05 wide: three digits are too
    few there. It takes 1 % of a network's time.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the output. Shapes: (..., num_inputs) to (..., num_outputs)."""
        # TorchScript, to which rsl_rl exports policies, knows nothing of autocast, and leaves out what is below such a
        # condition where it stands alone.
        if not torch.jit.is_scripting():  # noqa: SIM102 # pyright: ignore[reportPrivateImportUsage]
            if torch.is_autocast_enabled(input.device.type):
                with torch.autocast(input.device.type, enabled=False):
                    return F.linear(input.float(), self.weight, self.bias)
        return F.linear(input, self.weight, self.bias)


def build_mlp(num_inputs: int, hidden_dims: Sequence[int], num_outputs: int, layer_norm: bool) -> nn.Sequential:
    """Build Linear (LayerNorm) ReLU blocks, with a linear last layer.

    LayerNorm keeps the critics from diverging at the high replay ratios of off-policy learning (Ball et al. 2023).

    Args:
        num_inputs: Width of the input.
        hidden_dims: Width of each hidden layer.
        num_outputs: Width of the output.
        layer_norm: Whether each hidden layer is normalised before its activation.

    Returns:
        The network; its last element is the linear output layer.
    """
    layers: list[nn.Module] = []
    width = num_inputs
    for hidden_dim in hidden_dims:
        layers.append(nn.Linear(width, hidden_dim))
        if layer_norm:
            layers.append(nn.LayerNorm(hidden_dim))
        layers.append(nn.ReLU(inplace=True))
        width = hidden_dim
    layers.append(OutputLayer(width, num_outputs))
    return nn.Sequential(*layers)


def zero_last_layer(mlp: nn.Module) -> None:
    """Let a network give 0 for every input until it learns: there is nothing to unlearn."""
    for parameter in list(mlp.parameters())[-2:]:
        nn.init.zeros_(parameter)
