# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Several processes that learn as one, by torch.distributed."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

ENVIRONMENT = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What ``torch.distributed.run`` tells each process."""

TIME_OUT = datetime.timedelta(minutes=30)
"""How long a rank waits for the others. Rank 0 alone evaluates and writes files, which takes minutes."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that learn together; alone where nothing else is said.

    Every rank has robots and a replay buffer of its own. What is shared is averaged: gradients, and the features that
    θ compares. So all ranks have the same θ and the same policy in every step, and learn as one process with all robots
    would, from batches that are drawn rank by rank.
    """

    rank: int = 0
    world_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the rank with the person, the log and the files."""
        return self.rank == 0

    def average_gradients(self, parameters: Sequence[torch.Tensor]) -> None:
        """Replace each gradient by its mean over the ranks: one message for all of them."""
        if self.world_size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.world_size
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sum over the ranks. Any shape, the same on all."""
        if self.world_size == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total

    def mean_of_rows(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the mean of the rows of all ranks; NaN where there are none.

        Args:
            rows: As many on each rank as there happen to be. Shape: (num_rows, width)

        Returns:
            Shape: (width,)
        """
        if self.world_size == 1:
            return rows.mean(dim=0)
        total = self.sum(torch.cat((rows.sum(dim=0), rows.new_tensor([float(len(rows))]))))
        return total[:-1] / total[-1]

    def from_first(self, value: Any = None) -> Any:
        """Return what the first rank passed; the others pass nothing. Tensors travel on the CPU."""
        if self.world_size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]


@contextmanager
def joined_ranks(device: torch.device | str) -> Iterator[Ranks]:
    """Join the other processes that ``torch.distributed.run`` started, and leave them at the end.

    Args:
        device: Where this process computes: with gloo on a CPU, with NCCL on a GPU.

    Raises:
        ValueError: Nobody said which rank this is; see :obj:`ENVIRONMENT`.
    """
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIME_OUT)
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def device_of_rank(device: str | None) -> str | None:
    """Return the GPU of this process among those of this machine, unless another kind of device is asked for."""
    wants_gpu = torch.cuda.is_available() if device is None else device.startswith("cuda")
    return f"cuda:{os.environ['LOCAL_RANK']}" if wants_gpu else device
