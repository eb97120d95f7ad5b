# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Opens a task of this suite from a script: names, settings, simulator, environment."""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import inspect
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
import warp as wp
from isaaclab.app import launch_simulation
from isaaclab.utils.timer import Timer
from isaaclab.utils.version import has_kit
from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper
from isaaclab_tasks.utils import PresetCfg, load_cfg_from_registry, resolve_task_config
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from .arguments import MEREQ_ENTRY_POINT, TaskUsageError, add_task_args, check_name, parse_task_args
from .meaning import policy_meaning
from .physics import check_physics
from .preference import HumanPreference
from .quiet import quiet
from .spaces import LEARNED_FROM
from .view import ViewCfg

VIEW_ENTRY_POINT = "view_cfg_entry_point"
"""Key under which a task registers how it is looked at."""


@dataclass
class TaskSettings:
    """A task's settings, with everything from the command line applied."""

    task: str
    env_cfg: Any
    agent: dict[str, Any]
    """Settings of MEReQ, by name."""

    settings: tuple[str, ...] = ()
    """What the command line changed of the environment, as it was typed."""


@dataclass
class OpenTask:
    """A running task."""

    env: RslRlVecEnvWrapper
    names: dict[str, Any]
    """Fields of what a runner has to know: task, names of observations, features, metrics and
    rewards, bounds, theta_star, texts, meaning, settings."""


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


def settings_of(task: str, *command_line: str) -> TaskSettings:
    """Reads a task's settings as every script does, where they come from no command line of a user.

    Args:
        task: Id of the task.
        command_line: Arguments and settings beside it, as scripts take them.

    Raises:
        TaskUsageError: See :func:`~mereq_tasks.arguments.parse_task_args` and :func:`resolve_task`.
    """
    parser = argparse.ArgumentParser()
    add_task_args(parser)
    return resolve_task(*parse_task_args(parser, ["--task", task, *command_line]))


def resolve_task(args: argparse.Namespace, settings: Sequence[str]) -> TaskSettings:
    """Reads a task's settings and applies the command line.

    Args:
        args: As from :func:`~mereq_tasks.arguments.parse_task_args`.
        settings: What it returned beside them.

    Raises:
        TaskUsageError: Unknown device or setting, or a value that does not fit.
    """
    agent_settings = [setting.removeprefix("agent.") for setting in settings if setting.startswith("agent.")]
    env_settings = [setting for setting in settings if not setting.startswith("agent.")]
    with quiet(not args.verbose):
        env_cfg: Any = load_cfg_from_registry(args.task, "env_cfg_entry_point")
    _check_env_settings(env_cfg, env_settings)
    _check_agent_file(args.task)
    try:
        with quiet(not args.verbose):
            env_cfg, agent = resolve_task_config(args.task, MEREQ_ENTRY_POINT, overrides=env_settings)
        # The agent's file names only what differs from the defaults, so a path need not be in it.
        agent = OmegaConf.to_container(OmegaConf.merge(agent, OmegaConf.from_dotlist(agent_settings)))
    except (AttributeError, KeyError, TypeError, ValueError, OmegaConfBaseException) as error:
        raise TaskUsageError(f"setting cannot be applied: {_one_line(error)}") from error
    if args.num_envs is not None:
        env_cfg.scene.num_envs = args.num_envs
    if env_cfg.scene.num_envs < 1:
        raise TaskUsageError(f"num_envs is {env_cfg.scene.num_envs}; at least 1 robot is needed")
    if args.device is not None:
        env_cfg.sim.device = "cuda:0" if args.device == "cuda" else args.device
    check_device(env_cfg.sim.device)
    env_cfg.seed = args.seed
    return TaskSettings(args.task, env_cfg, agent, tuple(env_settings))


def load_view(task: str) -> ViewCfg:
    """Returns how a task is looked at.

    Raises:
        TaskUsageError: The task does not say.
    """
    if VIEW_ENTRY_POINT not in gym.spec(task).kwargs:
        raise TaskUsageError(f"task {task} cannot be filmed: it registers no {VIEW_ENTRY_POINT}")
    with quiet():
        return load_cfg_from_registry(task, VIEW_ENTRY_POINT)  # type: ignore[return-value]  # a class of the task


def _check_agent_file(task: str) -> None:
    """Reads a task's settings of MEReQ, so that a file that is damaged is told from a setting that is wrong.

    Raises:
        TaskUsageError: The file is missing, damaged or holds no settings.
    """
    entry = gym.spec(task).kwargs[MEREQ_ENTRY_POINT]
    try:
        with quiet():
            found = load_cfg_from_registry(task, MEREQ_ENTRY_POINT)
    # A YAML file may name the type of a value that is none of it, and then anything is raised.
    except (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise TaskUsageError(f"settings of the task cannot be read: {entry} ({_one_line(error)[:200]})") from error
    except YAMLError as error:
        raise TaskUsageError(f"settings of the task cannot be read: {entry} ({_one_line(error)[:200]})") from error
    if not isinstance(found, dict) or not found:
        raise TaskUsageError(f"settings of the task cannot be read: {entry} (it holds no settings)")


def _check_env_settings(env_cfg: Any, settings: Sequence[str]) -> None:
    """Refuses what Isaac Lab would take in silence: a name that no configuration has, text where a number belongs."""
    for setting in settings:
        path, _, value = setting.partition("=")
        node = env_cfg
        for name in path.split(".")[1:]:
            # Isaac Lab itself picks among presets; dictionaries may get new keys.
            if isinstance(node, (PresetCfg, dict)) or not dataclasses.is_dataclass(node):
                break
            check_name(f"name in {path}:", name, (field.name for field in dataclasses.fields(node)))
            node = getattr(node, name)
        else:
            if isinstance(node, (int, float)) and not _is_number(value):
                raise TaskUsageError(f"setting {path} takes a number, not {value!r}")


def _is_number(text: str) -> bool:
    try:
        return isinstance(
            ast.literal_eval(text.capitalize() if text.lower() in ("true", "false") else text), (int, float)
        )
    except (ValueError, SyntaxError):
        return False


def _one_line(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return " ".join(line.strip() for line in lines if line.strip())


def multiply_with_onednn() -> None:
    """Lets oneDNN instead of MKL multiply matrices on a CPU, where both are equally exact.

    MKL leaves an AMD processor's AVX-512 alone: an update of the networks took 22.1 ms with it and 15.5 ms with oneDNN
    (batch 724, one core of an EPYC, ``docs/scaling.md``). PyTorch asks oneDNN only where it *may* round to bfloat16,
    which it does where there are AMX units alone; so not there.
    """
    if not torch.cpu.get_capabilities().get("amx_bf16", False):
        torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # pyright: ignore[reportAttributeAccessIssue]


@contextlib.contextmanager
def open_task(settings: TaskSettings, verbose: bool = False) -> Iterator[OpenTask]:
    """Starts the simulator and the task, and closes both.

    Args:
        settings: As from :func:`resolve_task`.
        verbose: Whether to let the simulator print while it starts.

    Raises:
        TaskUsageError: This machine cannot run the chosen physics, or the person's preference does not fit the task.
    """
    check_physics(settings.env_cfg.sim)
    meaning = policy_meaning(settings.env_cfg.to_dict())
    if settings.env_cfg.sim.device == "cpu":
        # Sums of several threads round otherwise for every number of cores, and a run would go another way on every
        # machine. They are no faster here: simulation takes one core, and networks are small.
        torch.set_num_threads(1)
        multiply_with_onednn()
    if not verbose:
        wp.config.log_level = wp.LOG_WARNING  # Warp tells of every kernel that it loads, also later on
        Timer.enable_display_output = False  # and Isaac Lab, in the first step, how long it recorded physics for a GPU
    with contextlib.ExitStack() as cleanup:
        with quiet(not verbose):
            cleanup.enter_context(_simulation(settings.env_cfg))
            env = RslRlVecEnvWrapper(gym.make(settings.task, cfg=settings.env_cfg))
        cleanup.callback(env.close)
        yield OpenTask(env, {**describe(settings.task, env), "meaning": meaning, "settings": settings.settings})


@contextlib.contextmanager
def _simulation(env_cfg: Any) -> Iterator[None]:
    """Starts Isaac Lab's simulator.

    Isaac Lab prints the trace of every exception that passes through its own context, whoever handles it further out.
    Only an exit passes without; under Kit, which ends the process there, the trace is all that the user would get.
    """
    simulation = launch_simulation(env_cfg, {"device": env_cfg.sim.device, "headless": True})
    simulation.__enter__()
    try:
        yield
    except BaseException as error:
        passed = error if has_kit() else SystemExit(1)
        simulation.__exit__(type(passed), passed, error.__traceback__)
        raise
    simulation.__exit__(None, None, None)


def describe(task: str, env: RslRlVecEnvWrapper) -> dict[str, Any]:
    """Returns the names of a task's observation groups, the person's true weights, and what people are told of both.

    Raises:
        TaskUsageError: The preference weighs a feature that the task does not have.
    """
    unwrapped: Any = env.unwrapped
    terms = unwrapped.observation_manager.active_terms
    preference: HumanPreference = unwrapped.cfg.preference
    for feature in preference.weights:
        check_name("feature", feature, terms["features"])
    return {
        "task": task,
        "obs_names": tuple(terms["policy"]),
        "obs_columns": _columns(terms["policy"], unwrapped.observation_manager.group_obs_term_dim["policy"]),
        "action_columns": _columns(
            unwrapped.action_manager.active_terms, ((width,) for width in unwrapped.action_manager.action_term_dim)
        ),
        "feature_names": tuple(terms["features"]),
        "metric_names": tuple(terms["metrics"]),
        "reward_names": tuple(unwrapped.reward_manager.active_terms),
        "bounds": {
            group: (space.low.tolist(), space.high.tolist())
            for group, space in unwrapped.single_observation_space.spaces.items()
            if group in LEARNED_FROM
        },
        "theta_star": preference.theta(terms["features"]).to(env.device),
        "texts": {
            "goal": unwrapped.cfg.goal,
            "wish": preference.wish,
            "features": {name: _feature_text(unwrapped.cfg.observations.features, name) for name in terms["features"]},
            "step_s": unwrapped.step_dt,
        },
    }


def _columns(names: Iterable[str], shapes: Iterable[Sequence[int]]) -> tuple[str, ...]:
    """Returns a name for each number of terms that are put one after the other."""
    return tuple(
        name if math.prod(shape) == 1 else f"{name}_{index}"
        for name, shape in zip(names, shapes, strict=True)
        for index in range(math.prod(shape))
    )


def _feature_text(features: Any, name: str) -> str:
    """Returns the first sentence of what a feature's function says of itself, and its full scale."""
    term = getattr(features, name)
    sentence = (inspect.getdoc(term.func) or "").partition("\n\n")[0].replace("\n", " ").partition(". Shape")[0]
    text = sentence.removeprefix("Feature: ").rstrip(".")
    scale = term.params.get("full_scale")
    return text if scale is None else text.replace("a full scale", f"{scale:g}")
