# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where a policy is, and what it was trained with.

Weights alone are not a policy: at another rate or with other steps the same numbers move an arm otherwise. Every script
that opens a task for a policy does so by :func:`~mereq_lab.opening.resolve_for`, which applies what the policy was
trained with, or refuses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from mereq_algo.meaning import ContractSettings, PolicyMeaning
from mereq_algo.networks import (
    CheckpointError,
    CheckpointInfo,
    TrainedPolicy,
    load_checkpoint,
    parse_checkpoint,
    read_checkpoint,
)
from mereq_algo.records import RunFolder, RunFolderError, TaskSpec
from mereq_tasks.arguments import TaskUsageError, check_name, check_settings
from mereq_tasks.meaning import policy_meaning
from mereq_tasks.quiet import quiet
from mereq_tasks.shipped import shipped_policy

SHIPPED = ("prior", "expert")
"""Policies that come with a task."""

OF_THE_MACHINE = ("env.sim.device=", "env.scene.num_envs=", "env.seed=", "env.viewer.")
"""How settings begin that say where and how something ran. They say nothing of a policy, and are not carried."""


@dataclass(frozen=True)
class PolicySource:
    """A policy file, and what is known of its training."""

    task: str
    file: Path
    info: CheckpointInfo
    run: RunFolder | None = None
    """Run whose aligned policy it is."""

    used_by: RunFolder | None = None
    """Run that used it as its prior or expert, and may have done so with other settings than it was trained with."""

    follows: bool = False
    """Whether it takes the settings that other policies ask for, as one that comes with the task does. What its actions
    mean has to stay all the same."""

    content: bytes = dataclasses.field(default=b"", repr=False, compare=False)
    """The file, read once: a run that trains puts another in its place."""

    @property
    def settings(self) -> list[str]:
        """What was changed of the task's environment when it was trained, or by the run that used it.

        Raises:
            CheckpointError: The file does not tell, and there is no run that does.
            RunFolderError: The run does not tell.
        """
        run = self.run or self.used_by
        return environment_settings(self._own_settings() if run is None else run.read_settings())

    def _own_settings(self) -> list[str]:
        found = self.info.known_settings()
        if found is None:
            raise CheckpointError(
                f"policy file does not say what it was trained with: {self.file}; it is a copy of an earlier version's:"
                " name the run folder that it comes from"
            )
        return found

    def meaning(self, as_used: bool = False) -> PolicyMeaning:
        """Returns what its actions and observations meant when it was trained.

        Args:
            as_used: Return what they meant in the run that used it, if one did.

        Raises:
            CheckpointError: The file does not tell, and there is no run that does.
            RunFolderError: The run is damaged.
            TaskUsageError: The task has no longer the settings that it was trained with.
        """
        if self.run is not None:
            return meaning_of_run(self.run)
        if as_used and self.used_by is not None:
            return meaning_of_run(self.used_by)
        if self.info.meaning is not None:
            return PolicyMeaning.from_dict(self.info.meaning)
        return self._meaning_of_task()

    def _meaning_of_task(self) -> PolicyMeaning:
        """Returns what the task means today with the settings that the file names."""
        with quiet():
            from mereq_tasks.launch import settings_of

        settings = settings_of(self.task, "--device", "cpu", *environment_settings(self._own_settings()))
        return PolicyMeaning.from_dict(policy_meaning(settings.env_cfg.to_dict()))

    def contract(self) -> ContractSettings:
        """Returns what the contract beside an exported policy says of the arm, as it was when the policy was trained.

        Raises:
            CheckpointError, RunFolderError, TaskUsageError: As of :meth:`meaning`.
        """
        if self.run is not None:
            return meaning_in_params(self.run).contract
        known = self.meaning().contract
        # Files of earlier versions tell their settings alone.
        return known if known.values else self._meaning_of_task().contract


def without_settings(arguments: Sequence[str], overrides: list[str]) -> list[str]:
    """Returns the policies among arguments, and moves the settings that argparse took for more of them to the others.

    Raises:
        TaskUsageError: A setting has no such form.
    """
    settings = [argument for argument in arguments if "=" in Path(argument).name and not Path(argument).exists()]
    check_settings(settings)
    overrides += settings
    return [argument for argument in arguments if argument not in settings]


def environment_settings(settings: Sequence[str]) -> list[str]:
    """Returns those settings that are the task's; the others are of learning, or of the machine that learned."""
    return [setting for setting in settings if not setting.startswith(("agent.", *OF_THE_MACHINE))]


def meaning_of_run(run: RunFolder) -> PolicyMeaning:
    """Returns what the actions and observations of a run's policy mean.

    Raises:
        RunFolderError: The run is damaged.
    """
    if run.policy_file.is_file():
        found = load_checkpoint(run.policy_file)[2].meaning
        if found is not None:
            return PolicyMeaning.from_dict(found)
    return meaning_in_params(run)


def meaning_in_params(run: RunFolder) -> PolicyMeaning:
    """Returns the same as the settings say that the run opened its task with.

    Raises:
        RunFolderError: The run is damaged.
    """
    try:
        return PolicyMeaning.from_dict(policy_meaning(run.read_params("env")))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, RunFolderError):
            raise
        file = run.path / "params" / "env.yaml"
        raise RunFolderError(f"run folder is damaged: {file} (not the settings of an environment: {error})") from error


def find_policy(task: str, policy: str, run: RunFolder | None = None) -> PolicySource:
    """Finds a policy: ``prior``, ``expert``, a run folder or a file.

    Args:
        task: Id of the task.
        policy: What the user named.
        run: A run that is looked at beside; what it started from is then the prior, and its expert the expert.

    Raises:
        TaskUsageError: There is nothing of that name, or the task has no such policy yet.
        CheckpointError: The file is missing, damaged, or of another task.
        RunFolderError: The folder is not one of a run of this task.
    """
    path, own_run, used_by, follows = Path(policy), None, None, False
    if policy in SHIPPED:
        path, follows = shipped_policy(task, policy), True
        copy = None if run is None else run.kept_policy(policy)
        if copy is not None:
            path, used_by, follows = copy, run, False
        elif run is not None and (policy == "expert" or run.read_params("arguments").get("prior") == policy):
            used_by, follows = run, False  # runs of earlier versions kept no copies
        if not path.exists():
            start = "" if policy == "prior" else " --start prior"
            raise TaskUsageError(
                f"policy file not found: {path}; train one with scripts/train_policy.py --task {task}"
                f" --reward {policy}{start}"
            )
    elif path.name == policy and not path.suffix and not path.exists():
        check_name("policy", policy, [*SHIPPED, "a run folder", "a policy file"])
    if path.is_dir():
        own_run = RunFolder.open(path, task)
        path = own_run.policy_file
        if not path.is_file():
            raise RunFolderError(
                f"run has no policy yet, it ended before its first round was over: {own_run.path}; go on with it by"
                f" scripts/train_mereq.py --task {task} --resume {own_run.path}"
            )
    else:
        own_run, used_by = RunFolder.of_file(path), used_by or RunFolder.that_used(path)
    content = read_checkpoint(path)
    info = parse_checkpoint(content, path)[2]
    if info.task != task:
        raise CheckpointError(f"policy file is of task {info.task}, not {task}: {path}")
    return PolicySource(task, path, info, own_run, used_by, follows, content=content)


def load_policy(
    source: PolicySource, spec: TaskSpec, num_obs: int, num_actions: int, device: torch.device | str
) -> TrainedPolicy:
    """Loads a policy and checks that it fits the task.

    Raises:
        CheckpointError: It does not.
    """
    names = list(spec.feature_names), list(spec.obs_names)
    return TrainedPolicy(*parse_checkpoint(source.content, source.file, device, num_obs, num_actions, *names))


def load_policy_file(
    file: Path, spec: TaskSpec, num_obs: int, num_actions: int, device: torch.device | str
) -> TrainedPolicy:
    """Loads a policy file whose settings the task has been opened with; see :func:`load_policy`."""
    names = list(spec.feature_names), list(spec.obs_names)
    return TrainedPolicy(*load_checkpoint(file, device, num_obs, num_actions, *names))


def follower(source: PolicySource) -> PolicySource:
    """Returns the same policy apart from its run: it is compared by what its own file says of its training."""
    return dataclasses.replace(source, run=None, used_by=None, follows=True)
