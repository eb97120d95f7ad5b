# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""From what was measured to what the policy sees."""

from __future__ import annotations

import numpy as np

from .contract import Contract, ContractError
from .state import Scene
from .terms import KINDS


class ObservationBuilder:
    """Builds observations from the contract alone."""

    def __init__(self, contract: Contract) -> None:
        """Read the terms; the contract has checked their kinds."""
        self._terms = contract.observation

    def build(self, scene: Scene) -> np.ndarray:
        """Return the observation. Shape: (num_obs,).

        Raises:
            MissingStateError: Something that it needs is not measured.
            ContractError: A value has another width than the contract says.
        """
        blocks = []
        for term in self._terms:
            value = np.asarray(KINDS[term.kind].compute(scene, term.parameters), dtype=np.float64)
            if value.shape != (term.width,):
                raise ContractError(f"observation {term.name} has shape {value.shape}, the contract says {term.width}")
            if term.clip is not None:
                value = np.clip(value, term.clip[0], term.clip[1])
            blocks.append(value * np.asarray(term.scale))
        return np.concatenate(blocks).astype(np.float32)

    def out_of_range(self, observation: np.ndarray) -> list[str]:
        """Return the names of the terms of an observation that are not finite or beyond what the contract says.

        Args:
            observation: As from :meth:`build`. Shape: (num_obs,)
        """
        names, start = [], 0
        for term in self._terms:
            block = observation[start : start + term.width]
            # Rounding to 32 bits may step over a bound by one unit in the last place.
            slack = 1e-6 * (1.0 + np.abs(block))
            inside = (block >= np.asarray(term.low) - slack) & (block <= np.asarray(term.high) + slack)
            if not inside.all():  # false for NaN as well
                names.append(term.name)
            start += term.width
        return names
