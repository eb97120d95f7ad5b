# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a run starts from: recordings, policies, settings, and the device of its process."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mereq_algo.ranks import ENVIRONMENT, device_of_rank
from mereq_algo.recording import RecordedEpisode, gather, notes_on
from mereq_algo.records import RunFolder
from mereq_tasks.arguments import TaskUsageError, check_settings
from mereq_tasks.quiet import quiet
from mereq_tasks.shipped import shipped_policy

from ..errors import warn
from ..opening import meaning_of, resolve_for
from ..policies import SHIPPED, PolicySource, find_policy, meaning_in_params, meaning_of_run

if TYPE_CHECKING:
    from mereq_tasks.launch import TaskSettings


def read_recordings(args: argparse.Namespace, overrides: list[str]) -> list[RecordedEpisode]:
    """Returns the recorded episodes, and moves the settings that argparse took for more files to the others.

    Raises:
        TaskUsageError: The run is to be resumed, or a setting has no such form.
        RecordingError: There are no recordings, or they cannot be read.
    """
    if args.resume is not None:
        raise TaskUsageError("a run that learns from recordings has one round: there is nothing to resume")
    settings = [str(place) for place in args.from_recordings if "=" in place.name and not place.exists()]
    check_settings(settings)
    overrides += settings
    places = (place for place in args.from_recordings if str(place) not in settings)
    found = gather(places, args.skip_damaged)
    episodes = [episode for _, episode in found.episodes]
    for note in [f"left out: {reason}" for reason in found.left_out] + notes_on(episodes):
        warn(note)
    return episodes


def check_skipping(args: argparse.Namespace) -> None:
    """Refuses to skip damaged recordings where none are read.

    Raises:
        TaskUsageError: The run neither learns from recordings nor goes on with a round that a person watched.
    """
    is_read = args.from_recordings is not None or (args.resume is not None and args.person != "synthetic")
    if args.skip_damaged and not is_read:
        raise TaskUsageError(
            "--skip-damaged has nothing to skip here: it is for --from-recordings, and for --resume of a run with"
            " --person browser or spacemouse"
        )


def device_of_process(device: str | None) -> str | None:
    """Returns the device of this process, of several on this machine.

    Raises:
        TaskUsageError: Nobody said which of them this is.
    """
    missing = [name for name in ENVIRONMENT if name not in os.environ]
    if missing:
        raise TaskUsageError(f"--distributed is for -m torch.distributed.run, which sets {', '.join(missing)}")
    return device_of_rank(device)


def writes_files(args: argparse.Namespace) -> bool:
    """Returns whether this process writes the run folder: of several that learn as one the first does."""
    return not args.distributed or os.environ.get("RANK", "0") == "0"


def policies_of(args: argparse.Namespace, needs_expert: bool, folder: RunFolder | None) -> dict[str, PolicySource]:
    """Returns prior and expert of a run; a run that is resumed has copies of them.

    Raises:
        TaskUsageError, CheckpointError, RunFolderError: See :func:`find_policy`.
    """
    named = {"prior": args.prior}
    if needs_expert or shipped_policy(args.task, "expert").is_file():
        named["expert"] = "expert"
    found = {}
    for name, policy in named.items():
        copy = folder.kept_policy(name) if folder is not None else None
        if folder is not None and copy is None and policy not in SHIPPED and not Path(policy).exists():
            raise TaskUsageError(
                f"run cannot go on: its {name} is gone, and runs of earlier versions keep no copy; put it back:"
                f" {policy} (run folder: {folder.path})"
            )
        found[name] = find_policy(args.task, str(copy or policy))
    return found


def settings_for(
    args: argparse.Namespace, overrides: list[str], sources: dict[str, PolicySource], folder: RunFolder | None
) -> TaskSettings:
    """Reads the settings of a new run, or of one that goes on.

    Raises:
        TaskUsageError: See :func:`~mereq_lab.opening.resolve_for` and :func:`resolve_again`.
    """
    if folder is None:
        return resolve_for(sources, args, overrides, trains=True)
    return resolve_again(folder, args, overrides)


def resolve_again(folder: RunFolder, args: argparse.Namespace, overrides: list[str]) -> TaskSettings:
    """Reads the settings of a run that goes on.

    Raises:
        TaskUsageError: The task has changed since the run began: its actions would mean something else.
    """
    with quiet(not args.verbose):
        from mereq_tasks.launch import resolve_task

    settings = resolve_task(args, overrides)
    opened, began = meaning_of(settings), meaning_in_params(folder).contract
    differences = meaning_of_run(folder).differences(opened)
    paths = began.differences(opened.contract)
    shown = zip(began.shown(paths), opened.contract.shown(paths), strict=True)
    differences += [f"{before}, now {now}" for before, now in shown]
    if differences:
        raise TaskUsageError(f"the task has changed since the run began: {'; '.join(differences[:3])}; start a new run")
    return settings


def keep_start(folder: RunFolder, sources: dict[str, PolicySource], env_params: dict[str, Any]) -> None:
    """Writes down what a run starts from: its policies, and all settings of the environment before it was opened."""
    for name, source in sources.items():
        folder.keep_policy(name, source.content)
    folder.write_params("env", env_params)
