# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Keeps what the person watched: it cost their time, and other methods can learn from it later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..intervention import SupervisedRollout
from ..networks import GaussianPolicy
from ..recording import RecordingInfo, episodes_of, policy_hash, time_now, write_round
from ..records.run_record import RunRecord
from ..records.task_spec import TaskSpec


def save_recordings(
    folder: Path, rollout: SupervisedRollout, spec: TaskSpec, policy: GaussianPolicy, record: RunRecord, index: int
) -> None:
    """Write the episodes of a round of the synthetic person.

    Args:
        folder: Folder of all rounds.
        rollout: What the person watched.
        spec: Names of the task.
        policy: What drove the robots.
        record: The run; seed and versions are read.
        index: The round, from 0 on.
    """
    info = replace(
        recording_info(spec, record.seed, record.versions),
        person="synthetic",
        policy_sha256=policy_hash(policy),
        round=index,
        recorded_at=time_now(),
    )
    write_round(folder, episodes_of(rollout, info))


def recording_info(spec: TaskSpec, seed: int, versions: dict[str, str]) -> RecordingInfo:
    """Return what all recordings of a run say of themselves; who watched what comes with each.

    Args:
        spec: Names of the task.
        seed: Seed of the run.
        versions: Of the packages that take part.
    """
    return RecordingInfo(
        task=spec.task,
        person="",
        policy_sha256="",
        obs_names=spec.obs_names,
        feature_names=spec.feature_names,
        metric_names=spec.metric_names,
        reward_names=spec.reward_names,
        seed=seed,
        step_s=spec.texts.step_s,
        versions=versions,
        meaning=spec.meaning,
        obs_columns=spec.obs_columns,
        action_columns=spec.action_columns,
    )
