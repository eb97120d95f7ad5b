# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Opens a task of this suite from a script: names, settings, simulator, environment."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
import warp as wp

from isaaclab.app import launch_simulation

from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper
from isaaclab_tasks.utils import resolve_task_config

from .preference import HumanPreference

MEREQ_ENTRY_POINT = "mereq_cfg_entry_point"
"""Key under which a task registers its settings for MEReQ; what marks a task of this suite."""


class TaskUsageError(ValueError):
    """A task cannot be opened as asked. The message is one line."""


@dataclass
class TaskSettings:
    """A task's settings, with everything from the command line applied."""

    task: str
    env_cfg: Any
    agent: dict[str, Any]
    """Settings of MEReQ, by name."""


@dataclass
class OpenTask:
    """A running task."""

    env: RslRlVecEnvWrapper
    names: dict[str, Any]
    """Fields of what a runner has to know: task, obs_names, feature_names, metric_names, theta_star."""


def task_names() -> list[str]:
    """Returns the ids of this suite's tasks."""
    return sorted(name for name, spec in gym.registry.items() if MEREQ_ENTRY_POINT in spec.kwargs)


def check_name(kind: str, name: str, allowed: list[str]) -> None:
    """Refuses an unknown name and suggests the nearest.

    Raises:
        TaskUsageError: The name is unknown.
    """
    if name in allowed:
        return
    lowered = {candidate.lower(): candidate for candidate in allowed}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.4)
    hint = f"did you mean {lowered[near[0]]}? " if near else ""
    raise TaskUsageError(f"unknown {kind} {name!r}; {hint}Allowed: {', '.join(allowed)}")


def check_device(device: str) -> None:
    """Refuses a device that is not there.

    Raises:
        TaskUsageError: The device is unknown or missing.
    """
    try:
        parsed = torch.device(device)
    except RuntimeError:
        parsed = None
    if parsed is None or parsed.type not in ("cpu", "cuda"):
        raise TaskUsageError(f"unknown device {device!r}; use cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if parsed.type == "cuda" and (parsed.index or 0) >= count:
        there = f"cpu and {', '.join(f'cuda:{i}' for i in range(count))}" if count else "cpu only"
        raise TaskUsageError(f"device {device!r} is not there; this machine has {there}")


def add_task_args(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that every script of the suite takes."""
    parser.add_argument("--task", required=True, help="id of the task, for example Franka-Erase")
    parser.add_argument("--num_envs", type=int, default=None, help="number of robots (default: the task's)")
    parser.add_argument("--device", default=None, help="cpu, cuda or cuda:N (default: a GPU if there is one)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything that is drawn (default: 0)")
    parser.add_argument("--verbose", action="store_true", help="show what the simulator prints while it starts")


def resolve_task(args: argparse.Namespace, overrides: list[str]) -> TaskSettings:
    """Reads a task's settings and applies the command line.

    Args:
        args: As from :func:`add_task_args`.
        overrides: Isaac Lab's own: ``physics=...``, ``env.<path>=<value>``, ``agent.<path>=<value>``.

    Raises:
        TaskUsageError: Unknown task, device or setting, or fewer than one robot.
    """
    check_name("task", args.task, task_names())
    for override in overrides:
        if "=" not in override:
            raise TaskUsageError(f"unknown argument {override!r}; settings look like agent.max_rounds=4 (see --help)")
    if args.num_envs is not None and args.num_envs < 1:
        raise TaskUsageError(f"num_envs is {args.num_envs}; at least 1 robot is needed")
    try:
        env_cfg, agent = resolve_task_config(args.task, MEREQ_ENTRY_POINT, overrides=overrides)
    except (AttributeError, KeyError, ValueError) as error:
        raise TaskUsageError(f"setting cannot be applied: {str(error).splitlines()[0]}") from error
    if args.num_envs is not None:
        env_cfg.scene.num_envs = args.num_envs
    if args.device is not None:
        env_cfg.sim.device = "cuda:0" if args.device == "cuda" else args.device
    check_device(env_cfg.sim.device)
    env_cfg.seed = args.seed
    return TaskSettings(args.task, env_cfg, agent)


@contextlib.contextmanager
def open_task(settings: TaskSettings, verbose: bool = False) -> Iterator[OpenTask]:
    """Starts the simulator and the task, and closes both.

    Args:
        settings: As from :func:`resolve_task`.
        verbose: Whether to let the simulator print while it starts.
    """
    with contextlib.ExitStack() as cleanup:
        with contextlib.nullcontext() if verbose else _quiet():
            launcher_args = {"device": settings.env_cfg.sim.device, "headless": True}
            cleanup.enter_context(launch_simulation(settings.env_cfg, launcher_args))
            env = RslRlVecEnvWrapper(gym.make(settings.task, cfg=settings.env_cfg))
        cleanup.callback(env.close)
        yield OpenTask(env, describe(settings.task, env))


def describe(task: str, env: RslRlVecEnvWrapper) -> dict[str, Any]:
    """Returns the names of a task's observation groups, and the person's true weights.

    Raises:
        ValueError: The preference weighs a feature that the task does not have.
    """
    terms = env.unwrapped.observation_manager.active_terms
    preference: HumanPreference = env.unwrapped.cfg.preference
    return {
        "task": task,
        "obs_names": tuple(terms["policy"]),
        "feature_names": tuple(terms["features"]),
        "metric_names": tuple(terms["metrics"]),
        "theta_star": preference.theta(terms["features"]).to(env.device),
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences what Python and native code print to standard output and error; on an exception nothing is lost of it."""
    wp.config.quiet = True
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with open(os.devnull, "w") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for target, source in enumerate(saved, start=1):
                os.dup2(source, target)
                os.close(source)
