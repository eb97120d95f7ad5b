# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a runner has to know of a task beyond rsl_rl's ``VecEnv``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from rsl_rl.env import VecEnv

from ..errors import UserError
from ..meaning import PolicyMeaning
from ..networks import CheckpointInfo


class TaskError(UserError):
    """A task does not keep what it promises. The message is one line."""


@dataclass(frozen=True)
class TaskTexts:
    """What a report tells about a task; nothing is learned from it."""

    goal: str = ""
    """What the task asks for: a sentence."""

    wish: str = ""
    """What the person wants beyond that: a sentence."""

    features: dict[str, str] = field(default_factory=dict)
    """What each feature is."""

    step_s: float | None = None
    """Duration of a step [s]."""


@dataclass(frozen=True)
class TaskSpec:
    """Names of what the task's observation groups hold, and the person's true weights."""

    task: str
    """Id of the task."""

    obs_names: tuple[str, ...]
    """Terms of the group ``policy``."""

    feature_names: tuple[str, ...]
    """Columns of the group ``features``."""

    metric_names: tuple[str, ...]
    """Columns of the group ``metrics``: the task's own figures of the episode so far. One of them is ``success``."""

    theta_star: torch.Tensor
    """True weights of the features, for the expert's training and for reports; never given to the learner.
    Shape: (num_features,)"""

    reward_names: tuple[str, ...] = ()
    """Terms of the task's own reward, of tasks that tell them apart."""

    texts: TaskTexts = field(default_factory=TaskTexts)
    """What people are told about the task; a dictionary of its fields will do."""

    obs_columns: tuple[str, ...] = ()
    """A name for each column of the group ``policy``, of tasks that tell; recordings carry them to other programs."""

    action_columns: tuple[str, ...] = ()
    """Likewise, for each number of the action."""

    meaning: PolicyMeaning | None = None
    """Rate, scale of the actions and layout of the observations; a dictionary of its fields will do. None: the task
    does not tell, and nothing is compared."""

    bounds: dict[str, tuple[Sequence[float], Sequence[float]]] = field(default_factory=dict)
    """Least and greatest value of each column of the groups ``policy`` and ``features``, of tasks that tell; recordings
    are held against them."""

    settings: tuple[str, ...] | None = None
    """What was changed of the task's environment, as the command line takes it; policies carry it. None: not known."""

    def __post_init__(self) -> None:
        """Take texts and meaning as plain data, so that a task need not import the learner."""
        if isinstance(self.texts, dict):
            object.__setattr__(self, "texts", TaskTexts(**self.texts))
        if isinstance(self.meaning, dict):
            object.__setattr__(self, "meaning", PolicyMeaning.from_dict(self.meaning))

    def policy_info(self, temperature: float, extra: dict[str, Any]) -> CheckpointInfo:
        """Return what the file of a policy that was trained on this task says of it.

        Args:
            temperature: Temperature α that it was trained at [reward/nat].
            extra: Anything else that JSON can hold.
        """
        return CheckpointInfo(
            task=self.task,
            temperature=temperature,
            obs_names=list(self.obs_names),
            feature_names=list(self.feature_names),
            extra=extra,
            settings=None if self.settings is None else list(self.settings),
            meaning=None if self.meaning is None else self.meaning.as_dict(),
        )

    def check(self, env: VecEnv) -> None:
        """Compare the names with what the environment delivers.

        Raises:
            TaskError: A group is missing, a name stands twice, or names and columns differ in number.
        """
        obs = env.get_observations()
        for group, names in (("features", self.feature_names), ("metrics", self.metric_names)):
            if group not in obs.keys():  # noqa: SIM118 (a TensorDict iterates over its batch)
                raise TaskError(f"task {self.task}: observation group {group!r} is missing")
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise TaskError(f"task {self.task}: the name {twice!r} stands twice in group {group!r}")
            if obs[group].shape[1] != len(names):
                raise TaskError(
                    f"task {self.task}: group {group!r} is {obs[group].shape[1]} wide but has {len(names)} names"
                    f" ({', '.join(names)}): every term of it must be 1 wide"
                )
        if "success" not in self.metric_names:
            raise TaskError(f"task {self.task}: no metric named 'success' among {', '.join(self.metric_names)}")
        if self.theta_star.shape != (len(self.feature_names),):
            raise TaskError(f"task {self.task}: the preference needs {len(self.feature_names)} weights")
