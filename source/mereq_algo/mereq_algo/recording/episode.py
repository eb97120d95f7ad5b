# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One supervised episode, whole, with what one must know to learn from it years later."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import torch
from tensordict import TensorDict

from ..errors import UserError
from ..intervention import SupervisedRollout, count_takeovers
from ..meaning import PolicyMeaning


class RecordingError(UserError):
    """A recording is missing, damaged, or of something else. The message is one line."""


@dataclass(frozen=True)
class RecordingInfo:
    """What a recording says about itself."""

    task: str
    """Id of the task."""

    person: str
    """Who supervised; ``synthetic`` for the synthetic person."""

    policy_sha256: str
    """The robot's policy; see :func:`policy_hash`."""

    obs_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    metric_names: tuple[str, ...] = ()
    reward_names: tuple[str, ...] = ()
    round: int = 0
    """Round of the run, from 0 on."""

    robot: int = 0
    """Which of the supervised robots it was."""

    seed: int = 0
    """Seed of the run."""

    step_s: float | None = None
    """Duration of a step [s]."""

    meaning: PolicyMeaning | None = None
    """Rate, scale of the actions and layout of the observations. Recordings of earlier versions do not have it."""

    obs_columns: tuple[str, ...] = ()
    """A name for each number of the observation. Recordings of earlier versions do not have it."""

    action_columns: tuple[str, ...] = ()
    """Likewise, of the action."""

    recorded_at: str = ""
    """When the episode ended: ISO 8601, with the time zone."""

    versions: dict[str, str] = field(default_factory=dict)
    """Of the packages that took part."""

    success: bool | None = None
    """Whether the episode was a success: what the person marked, or else the task's own metric."""

    marked_by: str = "task"
    """Who says so: ``task`` or ``person``."""

    discarded: bool = False
    """Whether the person threw the episode away: it is kept, and not learned from."""

    note: str = ""
    """What went wrong, if anything: ``person lost`` where the connection broke."""

    @property
    def rate_hz(self) -> float | None:
        """Actions a second; None where the recording does not tell."""
        if self.meaning is not None:
            return self.meaning.rate_hz
        return None if self.step_s is None else 1.0 / self.step_s


@dataclass(frozen=True)
class RecordedEpisode:
    """A supervised episode. Its tensors are on the CPU."""

    info: RecordingInfo

    transitions: TensorDict
    """As :class:`SupervisedRollout` has them: ``obs``, ``action``, ``features``, ``base_reward``, ``next_obs``,
    ``terminated``. Batch size: (num_steps,)"""

    robot_action: torch.Tensor
    """What the robot proposed. Shape: (num_steps, num_actions)"""

    in_control: torch.Tensor
    """Whether the person acted. Shape: (num_steps,)"""

    metrics: torch.Tensor
    """The task's own figures of the episode so far, ``success`` among them. Shape: (num_steps, num_metrics)"""

    reward_terms: torch.Tensor
    """What each term of the task's own reward came to. Shape: (num_steps, num_terms)"""

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.in_control)

    @property
    def is_finite(self) -> torch.Tensor:
        """Return whether all numbers of a step that are learned from are finite. Shape: (num_steps,)."""
        numbers = [self.transitions[name] for name in ("obs", "action", "features", "next_obs")]
        numbers += [self.transitions["base_reward"].unsqueeze(1), self.robot_action]
        return torch.isfinite(torch.cat(numbers, dim=1)).all(dim=1)

    @property
    def expert_samples(self) -> int:
        """Number of steps that the person controlled."""
        return int(self.in_control.sum())

    @property
    def num_takeovers(self) -> int:
        """How often the person took over."""
        return count_takeovers(self.in_control)


def time_now() -> str:
    """Return the time as :attr:`RecordingInfo.recorded_at` has it."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def episodes_of(rollout: SupervisedRollout, info: RecordingInfo) -> list[RecordedEpisode]:
    """Cut a rollout into its episodes, in the order of the robots.

    Args:
        rollout: The rollout.
        info: What is true of all of them; robot and success are each one's own.

    Returns:
        Whole episodes only: one that was cut short by the end of the rollout is not among them.
    """
    found = []
    for robot in range(rollout.num_supervised):
        column = rollout.episode[:, robot]
        for number in range(int(column.max()) + 1):
            steps = column == number
            if not bool(rollout.done[steps, robot].any()):
                continue
            nothing = torch.zeros(int(steps.sum()), 0)
            metrics = nothing if rollout.metrics is None else rollout.metrics[steps, robot].cpu()
            terms = nothing if rollout.reward_terms is None else rollout.reward_terms[steps, robot].cpu()
            success = None
            if info.success is None and "success" in info.metric_names:
                success = bool(metrics[-1, info.metric_names.index("success")] > 0.5)
            found.append(
                RecordedEpisode(
                    info=replace(info, robot=robot, success=success),
                    transitions=rollout.transitions[steps, robot].cpu(),
                    robot_action=rollout.robot_action[steps, robot].cpu(),
                    in_control=rollout.in_control[steps, robot].cpu(),
                    metrics=metrics,
                    reward_terms=terms,
                )
            )
    return found
