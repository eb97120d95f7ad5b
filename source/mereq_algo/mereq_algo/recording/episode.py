# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One supervised episode, whole, with what one must know to learn from it years later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import torch
from tensordict import TensorDict

from ..intervention import SupervisedRollout, count_takeovers


class RecordingError(ValueError):
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


def to_learn_from(episodes: Sequence[RecordedEpisode]) -> list[RecordedEpisode]:
    """Return the episodes that were not discarded.

    Raises:
        RecordingError: There is none, or they are not of one task.
    """
    kept = [episode for episode in episodes if not episode.info.discarded]
    if not kept:
        raise RecordingError(f"none of {len(episodes)} recorded episodes is to be learned from")
    first = kept[0].info
    for info in (episode.info for episode in kept):
        for name in ("task", "obs_names", "feature_names"):
            found, wanted = getattr(info, name), getattr(first, name)
            if found != wanted:
                raise RecordingError(f"recordings do not belong together: {name} is {found} and {wanted}")
    return kept


def rollout_of(episodes: Sequence[RecordedEpisode], device: torch.device | str = "cpu") -> SupervisedRollout:
    """Put recorded episodes side by side, each as the one episode of a robot; discarded ones are left out.

    Args:
        episodes: The recordings, all of one task.
        device: Where the rollout goes.

    Raises:
        RecordingError: There is nothing to learn from, or the episodes are not of one task.
    """
    kept = to_learn_from(episodes)
    first = kept[0].info
    length = max(len(episode) for episode in kept)

    def side_by_side(columns: list[torch.Tensor], fill: float) -> torch.Tensor:
        padded = [
            torch.cat((column, column.new_full((length - len(column), *column.shape[1:]), fill))) for column in columns
        ]
        return torch.stack(padded, dim=1).to(device)

    transitions = {
        name: side_by_side([episode.transitions[name] for episode in kept], 0)
        for name in kept[0].transitions.keys()  # noqa: SIM118 (a TensorDict iterates over its batch)
    }
    done = [torch.arange(1, len(episode) + 1) == len(episode) for episode in kept]
    same_metrics = all(episode.info.metric_names == first.metric_names for episode in kept)
    same_terms = all(episode.info.reward_names == first.reward_names for episode in kept)
    return SupervisedRollout(
        transitions=TensorDict(transitions, batch_size=[length, len(kept)], device=torch.device(device)),
        robot_action=side_by_side([episode.robot_action for episode in kept], 0),
        in_control=side_by_side([episode.in_control for episode in kept], False),
        done=side_by_side(done, False),
        episode=side_by_side([torch.zeros(len(episode), dtype=torch.long) for episode in kept], -1),
        metrics=side_by_side([episode.metrics for episode in kept], 0) if same_metrics else None,
        reward_terms=side_by_side([episode.reward_terms for episode in kept], 0) if same_terms else None,
    )
