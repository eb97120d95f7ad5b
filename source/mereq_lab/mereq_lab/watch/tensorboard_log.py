# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Curves of a run for TensorBoard."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import torch
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from mereq_algo.methods import InnerLoopProgress
from mereq_algo.records.run_record import RunRecord

VIDEO_REDUCTION, VIDEO_FRAMES_PER_S = 2, 5
"""How much smaller a video is in TensorBoard, which stores it as a GIF, and its frames a second."""


class TensorBoardLog:
    """Writes one point a round against expert samples, and one a step of θ against env-steps."""

    def __init__(self, folder: Path, num_rounds: int = 0) -> None:
        """Open another event file in the run folder.

        Args:
            folder: The run's.
            num_rounds: Rounds that are written already, when the run goes on.
        """
        threading.excepthook = _say_no_disk_error(threading.excepthook)
        self._writer = SummaryWriter(str(folder))
        self._num_rounds = num_rounds
        self.error: OSError | None = None
        """Why nothing is written any longer; None while there is no reason."""

    def update(self, record: RunRecord, phase: str, inner: InnerLoopProgress | None) -> None:
        """Write what is new; see :class:`RunListener`. A run does not end because its curves cannot be written."""
        if self.error is not None:
            return
        try:
            self._update(record, inner)
        except OSError as error:
            self.error = error

    def _update(self, record: RunRecord, inner: InnerLoopProgress | None) -> None:
        if inner is not None:
            self._write_inner(record, inner)
        for index in range(self._num_rounds, record.rounds):
            samples = record.expert_samples[index]
            self._writer.add_scalar("intervention/rate", record.intervention_rate[index], samples)
            self._writer.add_scalar("intervention/upper_bound", record.intervention_rate_upper[index], samples)
            self._writer.add_scalar("intervention/takeovers", record.num_takeovers[index], samples)
            for name, value in record.rollout_metrics[index].items():
                self._writer.add_scalar(f"rollout/{name}", value, samples)
            for name, value in record.theta_star.items():
                self._writer.add_scalar(f"theta_star/{name}", value, record.env_steps)
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

    def close(self, record: RunRecord, settings: dict[str, Any]) -> None:
        """Write what was set beside what came out of it, and close the event file.

        Args:
            record: Where the run ended.
            settings: Of the run, as nested dictionaries.

        Raises:
            OSError: Not everything could be written.
        """
        if self.error is not None:
            raise self.error
        if record.rounds:
            hparams = {"task": record.task, "seed": record.seed, "num_envs": record.num_envs, **_flat(settings)}
            metrics = {
                "result/expert_samples": record.expert_samples[-1],
                "result/intervention_rate_upper": record.intervention_rate_upper[-1],
                "result/success_rate": record.success_rate,
                "result/expert_return_gap_closed": record.expert_return_gap_closed,
            }
            metrics = {name: value for name, value in metrics.items() if value is not None}
            # "." puts them beside the curves, not into a run of their own.
            self._writer.add_hparams(hparams, metrics, run_name=".")
            self._write_features(record)
        self._writer.close()

    def _write_features(self, record: RunRecord) -> None:
        """Write how often each feature has which value, by policy."""
        for policy, evaluation in record.evaluation.items():
            for name, counts in evaluation["histograms"].items():
                edges = np.linspace(0.0, 1.0, len(counts) + 1)
                middles = (edges[:-1] + edges[1:]) / 2
                counts = np.asarray(counts, dtype=float)
                self._writer.add_histogram_raw(
                    f"features_{policy}/{name}",
                    min=0.0,
                    max=1.0,
                    num=float(counts.sum()),
                    sum=float(counts @ middles),
                    sum_squares=float(counts @ middles**2),
                    bucket_limits=edges[1:].tolist(),
                    bucket_counts=counts.tolist(),
                    global_step=record.env_steps,
                )


def _say_no_disk_error(otherwise: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return a hook for errors of threads: TensorBoard's writer hands those of the disk on to whoever uses it."""

    def hook(args: Any) -> None:
        if not (isinstance(args.exc_value, OSError) and "_AsyncWriterThread" in type(args.thread).__name__):
            otherwise(args)

    return hook


def log_video(folder: Path, video: Path) -> None:
    """Add a video to a run's TensorBoard, coarser than the file.

    Args:
        folder: The run's.
        video: An mp4 file.
    """
    frames = imageio_ffmpeg.read_frames(str(video))
    about = next(frames)
    every = round(about["fps"] / VIDEO_FRAMES_PER_S)
    pictures = [
        np.asarray(Image.frombytes("RGB", about["size"], frame).reduce(VIDEO_REDUCTION))
        for index, frame in enumerate(frames)
        if index % every == 0
    ]
    clip = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).unsqueeze(0)
    with SummaryWriter(str(folder)) as writer, warnings.catch_warnings():
        # Python's, when it first reads the source of MoviePy, which this calls.
        warnings.simplefilter("ignore", SyntaxWarning)
        writer.add_video("film/prior_aligned_expert", clip, fps=VIDEO_FRAMES_PER_S)


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, str | float | bool]:
    """Return nested settings by dotted names; lists and what else TensorBoard has no column for become text."""
    flat: dict[str, str | float | bool] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value if isinstance(value, (str, int, float)) else str(value)
    return flat
