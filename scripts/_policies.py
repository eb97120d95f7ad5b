# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where a policy is, what it was trained with, and how a task is opened for it.

Weights alone are not a policy: at another rate or with other steps the same numbers move an arm otherwise. Every script
that opens a task for a policy does so by :func:`resolve_for`, which applies what the policy was trained with, or
refuses.
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from _common import PlainConsole
from mereq_tasks.arguments import SETTING_FORMS, TaskUsageError, check_name, check_settings
from mereq_tasks.quiet import quiet
from mereq_tasks.shipped import shipped_policy

if TYPE_CHECKING:
    import torch

    from mereq_algo.meaning import PolicyMeaning
    from mereq_algo.networks import CheckpointInfo, TrainedPolicy
    from mereq_algo.runner import RunFolder, TaskSpec
    from mereq_tasks.launch import TaskSettings

SHIPPED = ("prior", "expert")
"""Policies that come with a task."""


@dataclass(frozen=True)
class PolicySource:
    """A policy file, and what is known of its training."""

    task: str
    file: Path
    info: CheckpointInfo
    run: RunFolder | None = None
    """Run that it belongs to: its aligned policy, or the prior or expert that it used."""

    follows: bool = False
    """Whether it takes the settings that other policies ask for, as one that comes with the task does. What its actions
    mean has to stay all the same."""

    content: bytes = dataclasses.field(default=b"", repr=False, compare=False)
    """The file, read once: a run that trains puts another in its place."""

    @property
    def settings(self) -> list[str]:
        """What was changed of the task's environment when it was trained.

        Raises:
            RunFolderError: The run does not tell.
        """
        if self.run is not None:
            return environment_settings(self.run.read_settings())
        if self.info.settings is not None:
            return self.info.settings
        # Files of earlier versions have only the command that made them.
        command = self.info.extra.get("command")
        try:
            words = shlex.split(command) if isinstance(command, str) else []
        except ValueError:
            words = []
        forms = tuple(form.partition("=")[0].partition(".")[0] for form in SETTING_FORMS)
        settings = [word for word in words if "=" in word and word.split("=")[0].split(".")[0] in forms]
        return environment_settings(settings)

    def meaning(self) -> PolicyMeaning:
        """Returns what its actions and observations mean.

        Raises:
            RunFolderError: The run is damaged.
            TaskUsageError: The task has no longer the settings that it was trained with.
        """
        from mereq_algo.meaning import PolicyMeaning

        if self.run is not None:
            return meaning_of_run(self.run)
        if self.info.meaning is not None:
            return PolicyMeaning.from_dict(self.info.meaning)

        with quiet():
            from mereq_tasks.launch import settings_of
            from mereq_tasks.meaning import policy_meaning

        settings = settings_of(self.task, "--device", "cpu", *self.settings)
        return PolicyMeaning.from_dict(policy_meaning(settings.env_cfg.to_dict()))


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
    """Returns those settings that are the task's; the others are of learning."""
    return [setting for setting in settings if not setting.startswith("agent.")]


def meaning_of_run(run: RunFolder) -> PolicyMeaning:
    """Returns what the actions and observations of a run's policy mean.

    Raises:
        RunFolderError: The run is damaged.
    """
    from mereq_algo.meaning import PolicyMeaning
    from mereq_algo.networks import load_checkpoint
    from mereq_algo.runner import RunFolderError
    from mereq_tasks.meaning import policy_meaning

    if run.policy_file.is_file():
        found = load_checkpoint(run.policy_file)[2].meaning
        if found is not None:
            return PolicyMeaning.from_dict(found)
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
    from mereq_algo.networks import CheckpointError, parse_checkpoint, read_checkpoint
    from mereq_algo.runner import RunFolder, RunFolderError

    path, own_run, follows = Path(policy), None, False
    if policy in SHIPPED:
        path, follows = shipped_policy(task, policy), True
        copy = None if run is None else run.kept_policy(policy)
        if copy is not None:
            path, follows = copy, False
        elif run is not None and (policy == "expert" or run.read_params("arguments").get("prior") == policy):
            own_run, follows = run, False  # runs of earlier versions kept no copies
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
        own_run = own_run or RunFolder.of_file(path)
    content = read_checkpoint(path)
    info = parse_checkpoint(content, path)[2]
    if info.task != task:
        raise CheckpointError(f"policy file is of task {info.task}, not {task}: {path}")
    return PolicySource(task, path, info, own_run, follows, content=content)


def resolve_for(
    sources: Mapping[str, PolicySource], args: argparse.Namespace, overrides: Sequence[str], trains: bool = False
) -> TaskSettings:
    """Reads a task's settings for policies: what they were trained with, and then the command line.

    Args:
        sources: The policies, by the names that messages call them.
        args: As from :func:`~mereq_tasks.arguments.parse_task_args`.
        overrides: What it returned beside them.
        trains: Whether a policy that comes with the task may begin to learn another rate or other steps. It is said.

    Raises:
        TaskUsageError: The policies do not go together, or the command line would change what their actions mean.
    """
    check_together(sources)
    own = merged_settings(sources, overrides)
    given = {_key(setting) for setting in overrides}
    applied = [setting for setting in own if _key(setting) not in given]

    with quiet(not args.verbose):
        from mereq_tasks.launch import resolve_task
        from mereq_tasks.meaning import policy_meaning

    from mereq_algo.meaning import PolicyMeaning

    settings = resolve_task(args, [*applied, *overrides])
    opened = PolicyMeaning.from_dict(policy_meaning(settings.env_cfg.to_dict()))
    console = PlainConsole(soft_wrap=True)
    for name, source in sources.items():
        differences = source.meaning().differences(opened)
        if not differences:
            continue
        text = f"{name} was trained at {source.meaning().summary()}, and would act at {opened.summary()}"
        text += f" ({'; '.join(differences[:3])})"
        if not (trains and source.follows):
            changed = " ".join(environment_settings([*applied, *overrides]))
            raise TaskUsageError(
                f"{text}: its actions or observations would mean something else"
                + (f" with {changed}" if changed else ", the task has changed since")
            )
        console.print(f"note: {text}", highlight=False, markup=False)
    if applied:
        console.print(f"settings of the policy: {' '.join(applied)}", highlight=False, markup=False)
    console.print(f"actions: {opened.summary()}", highlight=False, markup=False)
    return settings


def check_together(sources: Mapping[str, PolicySource]) -> None:
    """Refuses policies whose actions or observations mean different things.

    Raises:
        TaskUsageError: They differ.
    """
    firm = {name: source.meaning() for name, source in sources.items() if not source.follows}
    for name, meaning in firm.items():
        first = next(iter(firm))
        differences = firm[first].differences(meaning)
        if differences:
            raise TaskUsageError(
                f"{first} and {name} cannot run in one simulation, their actions or observations mean different"
                f" things: {'; '.join(differences[:3])}"
            )


def merged_settings(sources: Mapping[str, PolicySource], overrides: Sequence[str]) -> list[str]:
    """Returns the settings of the environment that all of the policies were trained with.

    Raises:
        TaskUsageError: They were trained with different ones, and the command line does not say which to take.
    """
    given = {_key(setting) for setting in overrides}
    firm = {name: _by_key(source.settings) for name, source in sources.items() if not source.follows}
    for name, settings in firm.items():
        first = next(iter(firm))
        for key in dict.fromkeys((*firm[first], *settings)):
            one, other = firm[first].get(key), settings.get(key)
            if one != other and key not in given:
                raise TaskUsageError(
                    f"{first} was trained with {one or key + ' of the task'}, {name} with"
                    f" {other or key + ' of the task'}: say which to take, {key}=VALUE"
                )
    return list(next(iter(firm.values())).values()) if firm else []


def _key(setting: str) -> str:
    return setting.partition("=")[0]


def _by_key(settings: Sequence[str]) -> dict[str, str]:
    return {_key(setting): setting for setting in settings}


def load_policy(
    source: PolicySource, spec: TaskSpec, num_obs: int, num_actions: int, device: torch.device | str
) -> TrainedPolicy:
    """Loads a policy and checks that it fits the task.

    Raises:
        CheckpointError: It does not.
    """
    from mereq_algo.networks import TrainedPolicy, parse_checkpoint

    names = list(spec.feature_names), list(spec.obs_names)
    return TrainedPolicy(*parse_checkpoint(source.content, source.file, device, num_obs, num_actions, *names))


def load_policy_file(
    file: Path, spec: TaskSpec, num_obs: int, num_actions: int, device: torch.device | str
) -> TrainedPolicy:
    """Loads a policy file whose settings the task has been opened with; see :func:`load_policy`."""
    from mereq_algo.networks import TrainedPolicy, load_checkpoint

    names = list(spec.feature_names), list(spec.obs_names)
    return TrainedPolicy(*load_checkpoint(file, device, num_obs, num_actions, *names))


def follower(source: PolicySource) -> PolicySource:
    """Returns the same policy apart from its run: it is compared by what its own file says of its training."""
    return dataclasses.replace(source, run=None, follows=True)
