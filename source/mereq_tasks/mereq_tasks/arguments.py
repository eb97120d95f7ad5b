# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The command line that every script of the suite shares, checked before anything slow is imported."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence

import gymnasium as gym

from .caches import CacheError, check_caches
from .errors import UserError

MEREQ_ENTRY_POINT = "mereq_cfg_entry_point"
"""Key under which a task registers its settings for MEReQ; what marks a task of this suite."""

SETTING_FORMS = ("physics=NAME", "renderer=NAME", "presets=NAME", "env.PATH=VALUE", "agent.PATH=VALUE")
"""Isaac Lab's own way to change settings."""


MAX_SEED = 4_000_000
"""Largest seed: a run derives a 32-bit seed for each of its rounds from it."""


class TaskUsageError(UserError):
    """A task cannot be opened as asked. The message is one line."""


def task_names() -> list[str]:
    """Returns the ids of this suite's tasks."""
    return sorted(name for name, spec in gym.registry.items() if MEREQ_ENTRY_POINT in spec.kwargs)


def check_name(kind: str, name: str, allowed: Iterable[str]) -> None:
    """Refuses an unknown name and suggests the nearest.

    Raises:
        TaskUsageError: The name is unknown.
    """
    allowed = list(allowed)
    if name in allowed:
        return
    lowered = {candidate.lower(): candidate for candidate in allowed}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    hint = f"did you mean {lowered[near[0]]}? " if near else ""
    raise TaskUsageError(f"unknown {kind} {name!r}; {hint}Allowed: {', '.join(allowed)}")


def add_task_args(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that every script of the suite takes."""
    parser.add_argument("--task", required=True, help="id of the task, for example Franka-Erase")
    parser.add_argument("--num_envs", type=int, default=None, help="number of robots (default: the task's)")
    parser.add_argument("--device", default=None, help="cpu, cuda or cuda:N (default: a GPU if there is one)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything that is drawn (default: 0)")
    parser.add_argument("--verbose", action="store_true", help="show what the simulator prints while it starts")


def check_settings(settings: Sequence[str]) -> None:
    """Checks the form of settings; whether there are such is known only to the task.

    Raises:
        TaskUsageError: It is not one of :obj:`SETTING_FORMS`.
    """
    for setting in settings:
        name, equals, _ = setting.partition("=")
        if not equals or name.split(".")[0] not in ("physics", "renderer", "presets", "env", "agent"):
            raise TaskUsageError(f"unknown argument {setting!r}; settings look like {', '.join(SETTING_FORMS)}")
        if name in ("env", "agent"):
            raise TaskUsageError(f"{setting!r} sets all of {name}; one setting looks like {name}.PATH=VALUE")


def check_home() -> None:
    """Refuses a home that can hold no caches, before the simulator or a plot ends in a trace.

    Raises:
        TaskUsageError: It can hold none, and no other folder is named for them.
    """
    try:
        check_caches()
    except CacheError as error:
        raise TaskUsageError(str(error)) from error


def parse_settings(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None = None
) -> tuple[argparse.Namespace, list[str]]:
    """Parses a command line that may change settings; arguments and result as of :func:`parse_task_args`.

    Raises:
        TaskUsageError: Unknown argument or form of a setting, or caches that cannot be written.
    """
    parser.allow_abbrev = False  # a misspelt option must not pass for another
    args, settings = parser.parse_known_args(argv)
    options = [option for action in parser._actions for option in action.option_strings if option.startswith("--")]
    for setting in settings:
        if setting.startswith("-"):
            check_name("argument", setting.partition("=")[0], options)
    check_settings(settings)
    check_home()
    return args, settings


def parse_task_args(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None = None
) -> tuple[argparse.Namespace, list[str]]:
    """Parses the command line.

    Args:
        parser: With the arguments of :func:`add_task_args`, and a script's own.
        argv: The command line; that of the process when left out.

    Returns:
        The arguments, and the settings to be changed: see :obj:`SETTING_FORMS`.

    Raises:
        TaskUsageError: Unknown task, argument or form of a setting, a seed out of range, fewer than one robot, or
            caches that cannot be written.
    """
    args, settings = parse_settings(parser, argv)
    check_name("task", args.task, task_names())
    if args.num_envs is not None and args.num_envs < 1:
        raise TaskUsageError(f"num_envs is {args.num_envs}; at least 1 robot is needed")
    if not 0 <= args.seed <= MAX_SEED:
        raise TaskUsageError(f"seed is {args.seed}; it must be between 0 and {MAX_SEED}")
    return args, settings
