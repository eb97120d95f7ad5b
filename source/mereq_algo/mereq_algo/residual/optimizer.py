# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""An optimiser whose steps can be recorded as a CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..ranks import Ranks


class Optimizer:
    """Adam for one network, of which only its own parameters get gradients."""

    def __init__(
        self, parameters: Sequence[torch.Tensor], learning_rate: float, ranks: Ranks, is_recorded: bool, fused: bool
    ) -> None:
        """Make an optimiser.

        Args:
            parameters: What it moves.
            learning_rate: Step size.
            ranks: Processes over which gradients are averaged.
            is_recorded: Whether its steps are recorded: then everything that changes stands in tensors on the device.
            fused: Whether one kernel moves all parameters.
        """
        self._parameters = list(parameters)
        self._learning_rate = learning_rate
        self._ranks = ranks
        self._is_recorded = is_recorded
        self._adam = torch.optim.Adam(
            self._parameters, lr=self._rate(learning_rate), fused=fused or None, capturable=is_recorded
        )

    def _rate(self, learning_rate: float) -> float | torch.Tensor:
        return torch.tensor(learning_rate, device=self._parameters[0].device) if self._is_recorded else learning_rate

    @property
    def learning_rate(self) -> float:
        """The step size now."""
        return float(self._adam.param_groups[0]["lr"])

    def step(self, loss: torch.Tensor) -> None:
        """Descend the gradient of a loss. Shape: ()."""
        self._adam.zero_grad(set_to_none=True)
        # Only these parameters: the policy's loss passes through the critics, whose own gradients would be wasted.
        loss.backward(inputs=self._parameters)
        self._ranks.average_gradients(self._parameters)
        self._adam.step()

    def scale(self, share: float) -> None:
        """Set the step size to a multiple of the configured one. Range: > 0."""
        for group in self._adam.param_groups:
            if self._is_recorded:
                group["lr"].fill_(share * self._learning_rate)
            else:
                group["lr"] = share * self._learning_rate

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on."""
        return self._adam.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned, on whatever device."""
        self._adam.load_state_dict(state)
        for group in self._adam.param_groups:
            group["capturable"] = self._is_recorded
            group["lr"] = self._rate(float(group["lr"]))
