# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Replay memory on the device of the simulation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from tensordict import TensorDict


class ReplayBuffer:
    """Ring of transitions that stores features f and the task's own reward r, never a learned reward.

    The reward is computed when a transition is sampled, so nothing in here is stale when θ moves.

    A transition is one row of one matrix: adding and sampling are a single indexed copy each. Rows with a value that
    is not finite are left out and counted. Neither waits for the device: refused rows are written to a spare last row
    that is never sampled, and the write position is itself a tensor.
    """

    def __init__(
        self,
        capacity: int,
        num_obs: int,
        num_actions: int,
        num_features: int,
        device: torch.device | str = "cpu",
        beside: Mapping[str, int] | None = None,
    ) -> None:
        """Allocate an empty buffer.

        Args:
            capacity: Number of transitions kept; older ones are overwritten.
            num_obs: Width of the observation.
            num_actions: Width of the action.
            num_features: Width of the features.
            device: Where the transitions live.
            beside: Further columns by width, of what is known of a transition once and for all.

        Raises:
            ValueError: If the capacity is not positive.
        """
        if capacity < 1:
            raise ValueError(f"replay buffer: capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self.device = torch.device(device)
        self.widths = {
            "obs": num_obs,
            "action": num_actions,
            "features": num_features,
            "base_reward": 1,
            "next_obs": num_obs,
            "terminated": 1,
            **(beside or {}),
        }
        self._rows = torch.zeros(capacity + 1, sum(self.widths.values()), device=self.device)
        self._num_written = torch.zeros((), dtype=torch.long, device=self.device)
        self.num_rejected = torch.zeros((), dtype=torch.long, device=self.device)
        """Number of transitions refused because a value was not finite. Shape: ()"""
        self.num_offered = 0
        """Number of transitions offered to :meth:`add`, known without waiting for the device."""

    def __len__(self) -> int:
        """Return the number of transitions that can be sampled (waits for the device)."""
        return int(self._size)

    @property
    def _size(self) -> torch.Tensor:
        return self._num_written.clamp(max=self.capacity)

    def add(self, transitions: TensorDict) -> None:
        """Store a batch of transitions; an empty one changes nothing.

        Args:
            transitions: As from :func:`transition_from_step`, and the further columns. Batch size: (batch,)

        Raises:
            ValueError: If the batch has more rows than the buffer, or a field has the wrong width.
        """
        num_rows = transitions.batch_size[0]
        if num_rows == 0:  # recordings of which no step can be used
            return
        if num_rows > self.capacity:
            raise ValueError(f"replay buffer: {num_rows} rows at once do not fit a capacity of {self.capacity}")
        columns = []
        for name, width in self.widths.items():
            column = transitions[name].to(self.device, torch.float32).reshape(num_rows, -1)
            if column.shape[1] != width:
                raise ValueError(f"replay buffer: '{name}' must be {width} wide, got {column.shape[1]}")
            columns.append(column)
        rows = torch.cat(columns, dim=1)

        valid = torch.isfinite(rows).all(dim=1)
        position = torch.cumsum(valid, dim=0)
        slot = (self._num_written + position - 1) % self.capacity
        self._rows[torch.where(valid, slot, self.capacity)] = rows
        self._num_written += position[-1]
        self.num_rejected += num_rows - position[-1]
        self.num_offered += num_rows

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> TensorDict:
        """Draw transitions uniformly, with replacement.

        Args:
            batch_size: Number of transitions.
            generator: Source of randomness on the buffer's device; the global one when left out.

        Returns:
            ``obs``, ``action``, ``features``, ``next_obs`` as (batch_size, width), ``base_reward`` and ``terminated``
            (1 or 0) as (batch_size,), further columns as (batch_size, width).
        """
        # The remainder of a 62-bit number is uniform for every practical purpose and needs no size on the host.
        draw = torch.randint(2**62, (batch_size,), generator=generator, device=self.device)
        return self._gather(draw % self._size.clamp(min=1))

    def latest(self, num_transitions: int) -> TensorDict:
        """Return the newest transitions: what the policy of the last steps did.

        Args:
            num_transitions: How many; fewer where the buffer holds fewer.

        Returns:
            As :meth:`sample` returns them, newest first.
        """
        age = torch.arange(min(num_transitions, len(self)), device=self.device)
        return self._gather((self._num_written - 1 - age) % self.capacity)

    def _gather(self, slots: torch.Tensor) -> TensorDict:
        rows = self._rows.index_select(0, slots)
        columns = dict(zip(self.widths, rows.split(list(self.widths.values()), dim=1), strict=True))
        for name in ("base_reward", "terminated"):
            columns[name] = columns[name].squeeze(1)
        return TensorDict(columns, batch_size=[len(slots)], device=self.device)

    def state_dict(self) -> dict[str, torch.Tensor | int]:
        """Return everything needed to go on as if never interrupted."""
        return {
            "rows": self._rows[: len(self)].clone(),
            "num_written": self._num_written.clone(),
            "num_rejected": self.num_rejected.clone(),
            "num_offered": self.num_offered,
        }

    def load_state_dict(self, state: dict) -> None:
        """Restore the content that :meth:`state_dict` returned.

        Raises:
            ValueError: If the rows do not fit this buffer.
        """
        rows = state["rows"]
        if rows.shape[0] > self.capacity or rows.shape[1] != self._rows.shape[1]:
            raise ValueError(
                f"replay buffer: stored {tuple(rows.shape)} rows do not fit {self.capacity} x {self._rows.shape[1]}"
            )
        self._rows[: rows.shape[0]] = rows.to(self.device)
        self._num_written.copy_(state["num_written"])
        self.num_rejected.copy_(state["num_rejected"])
        self.num_offered = int(state["num_offered"])
