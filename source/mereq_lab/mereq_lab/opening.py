# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How a task is opened for policies: with what they were trained with, or not at all."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rsl_rl.env import VecEnv

from mereq_algo.meaning import PolicyMeaning
from mereq_algo.networks import TrainedPolicy
from mereq_algo.records import RunFolder, TaskSpec
from mereq_algo.runner import TimedEnv
from mereq_tasks.arguments import TaskUsageError
from mereq_tasks.meaning import policy_meaning
from mereq_tasks.quiet import quiet

from .plain_console import PlainConsole
from .policies import PolicySource, environment_settings, load_policy

if TYPE_CHECKING:
    from mereq_tasks.launch import TaskSettings


def resolve_for(
    sources: Mapping[str, PolicySource],
    args: argparse.Namespace,
    overrides: Sequence[str],
    trains: bool = False,
    shows: bool = False,
) -> TaskSettings:
    """Reads a task's settings for policies: what they were trained with, and then the command line.

    Args:
        sources: The policies, by the names that messages call them.
        args: As from :func:`~mereq_tasks.arguments.parse_task_args`.
        overrides: What it returned beside them.
        trains: Whether a policy that comes with the task may begin to learn another rate or other steps. It is said.
        shows: Whether a run's prior and expert may act as that run used them, whatever they were trained with. It is
            said.

    Raises:
        TaskUsageError: The policies do not go together, or the command line would change what their actions mean.
    """
    check_together(sources, shows)
    own = merged_settings(sources, overrides)
    given = {_key(setting) for setting in overrides}
    applied = [setting for setting in own if _key(setting) not in given]

    with quiet(not args.verbose):
        from mereq_tasks.launch import resolve_task

    settings = resolve_task(args, [*applied, *overrides])
    opened = meaning_of(settings)
    console = PlainConsole(soft_wrap=True)
    for name, source in sources.items():
        differences = source.meaning().differences(opened)
        if not differences:
            continue
        text = f"{name} was trained at {source.meaning().summary()}, and would act at {opened.summary()}"
        text += f" ({'; '.join(differences[:3])})"
        as_used = shows and source.used_by is not None and not source.meaning(shows).differences(opened)
        if not (as_used or (trains and source.follows)):
            raise TaskUsageError(f"{text}: {reason_for(source, environment_settings([*applied, *overrides]))}")
        console.print(f"note: {text}", highlight=False)
    if applied:
        console.print(f"settings of the policy: {' '.join(applied)}", highlight=False)
    console.print(f"actions: {opened.summary()}", highlight=False)
    return settings


@dataclass
class OpenedTask:
    """A running task, and the policies that it was opened for."""

    env: TimedEnv
    """The robots, with the time spent in them. Isaac Lab's own environment is :attr:`unwrapped`."""

    spec: TaskSpec
    """Names and true weights of the task, checked against the environment."""

    policies: dict[str, TrainedPolicy]
    """By the names that messages call them."""

    @property
    def vec_env(self) -> VecEnv:
        """The robots as Isaac Lab wraps them for rsl_rl."""
        return self.env.env

    @property
    def unwrapped(self) -> Any:
        """Isaac Lab's environment."""
        return self.env.env.unwrapped  # type: ignore[attr-defined]  # Isaac Lab's wrapper for rsl_rl has it

    @property
    def num_obs(self) -> int:
        """Number of values that a policy sees."""
        return self.env.get_observations()["policy"].shape[1]

    def load(self, source: PolicySource) -> TrainedPolicy:
        """Loads a policy and checks that it fits the task.

        Raises:
            CheckpointError: It does not.
        """
        return load_policy(source, self.spec, self.num_obs, self.env.num_actions, self.env.device)


@contextlib.contextmanager
def opened_task(
    settings: TaskSettings, sources: Mapping[str, PolicySource] | None = None, verbose: bool = False
) -> Iterator[OpenedTask]:
    """Starts the simulator and the task, loads policies, and closes everything at the end.

    Args:
        settings: As from :func:`resolve_for`.
        sources: Policies to load, by name.
        verbose: Whether to let the simulator print while it starts.

    Raises:
        TaskUsageError: This machine cannot run the chosen physics, or the person's preference does not fit the task.
        TaskError: The task does not keep what it promises.
        CheckpointError: A policy does not fit the task.
    """
    with quiet(not verbose):
        from mereq_tasks.launch import open_task

    with open_task(settings, verbose) as task:
        opened = OpenedTask(TimedEnv(task.env), TaskSpec(**task.names), {})
        opened.spec.check(opened.env)
        opened.policies.update({name: opened.load(source) for name, source in (sources or {}).items()})
        yield opened


def meaning_of(settings: TaskSettings) -> PolicyMeaning:
    """Returns what actions and observations mean under a task's settings."""
    return PolicyMeaning.from_dict(policy_meaning(settings.env_cfg.to_dict()))


def reason_for(source: PolicySource, changed: Sequence[str]) -> str:
    """Returns why a policy's actions or observations would mean something else, and what to do.

    Args:
        source: The policy.
        changed: Settings of the environment that the task would be opened with.
    """
    if source.used_by is not None:
        return (
            f"the run {source.used_by.path} used it so, which is no policy to go on with; name the policy that the run"
            " was given, or the run itself for the one that it learned"
        )
    means = "its actions or observations would mean something else"
    if changed:
        return f"{means} with {' '.join(changed)}"
    if source.follows and source.settings:
        return f"{means}; it was trained with {' '.join(source.settings)}, which is not the task's own: add that"
    return f"{means}, the task has changed since"


def check_together(sources: Mapping[str, PolicySource], shows: bool = False) -> None:
    """Refuses policies whose actions or observations mean different things.

    Args:
        sources: The policies, by name.
        shows: See :func:`resolve_for`.

    Raises:
        TaskUsageError: They differ.
    """
    firm = {name: source.meaning(shows) for name, source in sources.items() if not source.follows}
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


def check_contract(name: str, source: PolicySource, settings: TaskSettings) -> None:
    """Refuses to export a policy with another arm than it was trained with.

    Args:
        name: What messages call the policy.
        source: The policy.
        settings: What the task is opened with.

    Raises:
        TaskUsageError: Controller's rate, workspace, joint damping, home pose or constants of the goal differ, by the
            command line or because the task's own have changed since.
        RunFolderError: The run is damaged.
    """
    mine, here = source.contract(), meaning_of(settings).contract
    differing = mine.differences(here)
    if differing:
        raise TaskUsageError(
            f"{name} was trained with {' '.join(mine.shown(differing[:3]))}, and would be exported with"
            f" {' '.join(here.shown(differing[:3]))}: an arm that is driven otherwise is refused; give what it was"
            " trained with, or leave out what changes it"
        )


def run_of(sources: Mapping[str, PolicySource]) -> RunFolder | None:
    """Returns the run that the policies are of, if they are of one."""
    runs = [source.run or source.used_by for source in sources.values()]
    by_path = {run.path.resolve(): run for run in runs if run is not None}
    return next(iter(by_path.values())) if len(by_path) == 1 else None


def with_person_of_run(sources: Mapping[str, PolicySource], overrides: Sequence[str]) -> list[str]:
    """Returns settings with those of the synthetic person that watched the policies' run, and says which person it is.

    Raises:
        RunFolderError: The run does not tell.
    """
    run = run_of(sources)
    own = [] if run is None else [setting for setting in run.read_settings() if setting.startswith("agent.person.")]
    console = PlainConsole(soft_wrap=True)
    console.print(f"person: the task's{', with ' + ' '.join(own) + ' of the run' if own else ''}", highlight=False)
    return [*own, *overrides]
