# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Updates on CUDA without Python between their kernels."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .losses import Stats

WARM_UP = 3
"""Series that are launched from Python first: libraries make their buffers, and optimisers their state, at first use.
Source: PyTorch's notes on CUDA graphs."""


class RecordedUpdates:
    """A series of updates that is recorded once as a CUDA graph and from then on played back.

    It launches many small kernels, which keeps the host busier than the device. Played back they are the same kernels
    on the same memory, and the host launches a single thing. So everything that changes from update to update has to
    stand in tensors that are written in place: parameters, state and step sizes of the optimisers, θ, the replay buffer
    and its fill level, and the state of the random generator, which the graph advances itself.
    """

    def __init__(self, updates: Callable[[], Stats], generator: torch.Generator) -> None:
        """Prepare; nothing is recorded before the series has run a few times.

        Args:
            updates: Makes the updates, and returns losses and statistics.
            generator: What they draw from.
        """
        self._updates = updates
        self._generator = generator
        self._num_launched = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._names: tuple[str, ...] = ()
        self._values = torch.empty(0)

    def __call__(self) -> Stats:
        """Make the updates, and return losses and statistics, which the next call does not overwrite."""
        if self._num_launched < WARM_UP:
            self._num_launched += 1
            return self._updates()
        if self._graph is None:
            self._graph = self._record()
        self._graph.replay()
        return dict(zip(self._names, self._values.clone().unbind(), strict=True))

    def _record(self) -> torch.cuda.CUDAGraph:
        """Record the series, which is not carried out by that."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        with torch.cuda.graph(graph):
            stats = self._updates()
            self._names, self._values = tuple(stats), torch.stack(tuple(stats.values()))
        return graph
