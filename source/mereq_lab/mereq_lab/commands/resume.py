# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a run was started with, so that it goes on with the same."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mereq_algo.plain_values import is_count
from mereq_algo.records import FINISHED, RunFolder, RunFolderError
from mereq_algo.runner import MEReQCfg
from mereq_tasks.arguments import MAX_SEED, TaskUsageError, check_settings

KEPT = ("seed", "num_envs", "device", "prior", "person", "num_supervised")
"""Arguments that a run keeps when it is resumed, beside its settings."""

ADDRESS = ("host", "port")
"""Arguments that it keeps unless it is told others: where the page is has nothing to do with what is learned."""

KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("device", "prior", "person"), str),
    **dict.fromkeys(("seed", "num_supervised"), int),
    **{"num_envs": (int, type(None)), "host": (str, type(None)), "port": (int, type(None))},
}
"""What each of these arguments is."""

BUDGET = ("agent.max_rounds", "agent.max_expert_samples")
"""Settings that a resumed run may be given anew: how long it goes on."""

LIVE = ("person", "num_supervised", *ADDRESS)
"""Arguments that runs of earlier versions did not have."""


def keep_arguments(folder: RunFolder, args: argparse.Namespace, settings: list[str], device: str) -> None:
    """Writes down what :func:`kept_arguments` reads."""
    prior = args.prior if args.prior in ("prior", "expert") else str(Path(args.prior).resolve())
    kept = {"seed": args.seed, "num_envs": args.num_envs, "device": device, "prior": prior, "settings": settings}
    kept |= {name: getattr(args, name) for name in LIVE}
    kept["from_recordings"] = args.from_recordings is not None
    folder.write_params("arguments", kept)


def kept_arguments(
    folder: RunFolder, args: argparse.Namespace, settings: list[str], parser: argparse.ArgumentParser
) -> list[str]:
    """Gives ``args`` what the run was started with, and returns its settings.

    Raises:
        TaskUsageError: The command line asks for something else.
        RunFolderError: The folder does not tell.
    """
    needed = [name for name in KEPT if name not in LIVE]
    kept = {name: parser.get_default(name) for name in LIVE} | folder.read_params("arguments", *needed)
    for name, kind in KINDS.items():
        if not isinstance(kept[name], kind) or isinstance(kept[name], bool):
            file = folder.path / "params" / "arguments.yaml"
            raise RunFolderError(f"run folder is damaged: {file} ({name} is of type {type(kept[name]).__name__})")
    check_values(kept, folder, parser)
    kept["settings"] = folder.read_settings()
    check_settings(kept["settings"])
    if kept.get("from_recordings"):
        raise TaskUsageError("a run that learns from recordings has one round: there is nothing to resume")
    for name in KEPT:
        given = getattr(args, name)
        if given not in (parser.get_default(name), kept[name]):
            raise TaskUsageError(f"a resumed run keeps its {name}: it is {kept[name]}, not {given}")
        setattr(args, name, kept[name])
    for name in ADDRESS:
        if getattr(args, name) is None:
            setattr(args, name, kept[name])
    return with_budget(kept["settings"], settings)


def check_values(kept: dict[str, Any], folder: RunFolder, parser: argparse.ArgumentParser) -> None:
    """Checks values of a run's file as those of the command line are checked.

    Raises:
        RunFolderError: A number is out of its range, or a name is none that the command line takes.
    """
    choices = {action.dest: action.choices for action in parser._actions if action.choices is not None}
    for name, is_right in (
        ("seed", lambda value: 0 <= value <= MAX_SEED),
        ("num_envs", lambda value: value is None or 1 <= value < 2**31),
        ("num_supervised", lambda value: 1 <= value < 2**31),
        ("port", lambda value: value is None or 0 <= value < 2**16),
        ("person", lambda value: value in choices.get("person", (value,))),
    ):
        if not is_right(kept[name]):
            file = folder.path / "params" / "arguments.yaml"
            raise RunFolderError(f"run folder is damaged: {file} ({name} is {str(kept[name])[:40]!r})")


def with_budget(kept: list[str], given: list[str]) -> list[str]:
    """Returns the settings of a run with the budget that the command line gives it.

    Raises:
        TaskUsageError: The command line changes something else.
    """
    names = {setting.partition("=")[0]: setting for setting in kept}
    for setting in given:
        name = setting.partition("=")[0]
        if name in BUDGET:
            names[name] = setting
        elif setting not in kept:
            own = " ".join(kept) or "those of the task"
            raise TaskUsageError(
                f"a resumed run keeps its settings: {setting} is not among them ({own}); only {' and '.join(BUDGET)}"
                " can be given anew"
            )
    return list(names.values())


def check_unfinished(folder: RunFolder, cfg: MEReQCfg) -> None:
    """Refuses to go on with a run that needs nothing more, and says how to give it more.

    Raises:
        TaskUsageError: The run is finished.
        RunFolderError: Its summary is damaged.
    """
    summary = folder.read_summary("status", "rounds", "expert_samples")
    status, rounds, samples = summary["status"], summary["rounds"], summary["expert_samples"]
    if not is_count(rounds) or not isinstance(samples, list) or not all(map(is_count, samples)):
        raise RunFolderError(f"run folder is damaged: {folder.summary_file} (rounds or expert_samples are no numbers)")
    if status not in FINISHED:
        return
    done = f"run is finished: {status} after {rounds} rounds, {samples[-1] if samples else 0} expert samples"
    if status == "converged":
        raise TaskUsageError(
            f"{done}: the person is content, and more rounds would not be used; for a lower goal start a new run from"
            f" it, --prior {folder.path} agent.intervention_threshold=VALUE"
        )
    most, more = cfg.max_expert_samples, []
    if rounds >= cfg.max_rounds:
        more.append(f"agent.max_rounds={rounds + 4}")
    if most is not None and samples and samples[-1] >= most:
        more.append(f"agent.max_expert_samples={samples[-1] + most}")
    if more:
        raise TaskUsageError(f"{done}; to go on give it more: --resume {folder.path} {' '.join(more)}")
