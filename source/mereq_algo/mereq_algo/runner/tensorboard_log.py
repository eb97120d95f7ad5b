# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Curves of a run for TensorBoard."""

from __future__ import annotations

import math
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from ..methods import InnerLoopProgress
from .run_record import RunRecord


class TensorBoardLog:
    """Writes one point a round against expert samples, and one a step of θ against env-steps."""

    def __init__(self, folder: Path) -> None:
        """Open the event file in the run folder."""
        self._writer = SummaryWriter(str(folder))
        self._num_rounds = 0

    def update(self, record: RunRecord, phase: str, inner: InnerLoopProgress | None) -> None:
        """Write what is new; see :class:`RunListener`."""
        if inner is not None:
            self._write_inner(record, inner)
        for index in range(self._num_rounds, record.rounds):
            samples = record.expert_samples[index]
            self._writer.add_scalar("intervention/rate", record.intervention_rate[index], samples)
            self._writer.add_scalar("intervention/upper_bound", record.intervention_rate_upper[index], samples)
            self._writer.add_scalar("intervention/takeovers", record.num_takeovers[index], samples)
            for name, value in record.rollout_metrics[index].items():
                self._writer.add_scalar(f"rollout/{name}", value, samples)
        self._num_rounds = record.rounds
        self._writer.flush()

    def _write_inner(self, record: RunRecord, inner: InnerLoopProgress) -> None:
        step = record.env_steps
        if math.isfinite(inner.gradient_norm):
            self._writer.add_scalar("irl/gradient_norm", inner.gradient_norm, step)
        for name, value in zip(record.feature_names, inner.learner_features.tolist(), strict=True):
            self._writer.add_scalar(f"learner_features/{name}", value, step)
        for name, value in inner.theta.items():
            self._writer.add_scalar(f"theta/{name}", value, step)
        for name, value in inner.losses.items():
            self._writer.add_scalar(f"losses/{name}", value, step)
        self._writer.add_scalar("speed/env_steps_per_s", record.env_steps_per_s, step)
        self._writer.add_scalar("physics/robots_reset", record.num_broken, step)
        self._writer.add_scalar("physics/transitions_refused", record.num_rejected, step)

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()
