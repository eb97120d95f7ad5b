# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a run was started with, so that it goes on with the same."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mereq_tasks.arguments import TaskUsageError

if TYPE_CHECKING:
    from mereq_algo.runner import RunFolder

KEPT = ("seed", "num_envs", "device", "prior", "person", "num_supervised")
"""Arguments that a run keeps when it is resumed, beside its settings."""

ADDRESS = ("host", "port")
"""Arguments that it keeps unless it is told others: where the page is has nothing to do with what is learned."""

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
    kept = {name: parser.get_default(name) for name in LIVE} | folder.read_params("arguments")
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
    for setting in settings:
        if setting not in kept["settings"]:
            own = " ".join(kept["settings"]) or "those of the task"
            raise TaskUsageError(f"a resumed run keeps its settings: {setting} is not among them ({own})")
    return kept["settings"]
