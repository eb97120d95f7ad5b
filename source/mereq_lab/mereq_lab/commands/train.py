# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A run of MEReQ, from the command line to the report: see ``scripts/train_mereq.py``."""

from __future__ import annotations

import argparse
import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mereq_algo.ranks import Ranks, joined_ranks
from mereq_algo.recording import RecordedEpisode
from mereq_algo.records import NOTHING_LEARNED, RunFolder
from mereq_algo.runner import Follower, MEReQCfg, RecordedRunner, SupervisionRunner
from mereq_tasks.arguments import TaskUsageError

from ..errors import check_writable, report_and_continue, warn
from ..opening import OpenedTask, opened_task
from ..plain_console import PlainConsole
from ..provenance import command_line, hardware, versions
from ..report import VIDEO, write_report
from ..watch import ConsoleDisplay, TensorBoardLog, evaluation_table
from .film_run import film_run
from .live_args import check_live_args, fill_in_address
from .live_process import export_run, start_supervision
from .resume import check_unfinished, keep_arguments, kept_arguments
from .run_inputs import (
    check_skipping,
    device_of_process,
    keep_start,
    policies_of,
    read_recordings,
    settings_for,
    writes_files,
)

if TYPE_CHECKING:
    from ..live import LiveProcess


@dataclass
class Request:
    """What the command line asks for, checked."""

    args: argparse.Namespace
    overrides: list[str]
    """Settings, as they were typed; those of the run where one goes on."""

    recordings: list[RecordedEpisode] | None
    """What is learned from, where no person is present."""

    lock: contextlib.ExitStack
    """Holds the run folder's lock, from the first look at the folder to the last file in it."""

    folder: RunFolder | None = None
    """Of the run that goes on; of a new one as soon as it is made."""

    held: int = -1
    """Descriptor of the lock, once it is held."""

    @property
    def is_new(self) -> bool:
        """Whether the run begins here."""
        return self.args.resume is None

    @property
    def is_live(self) -> bool:
        """Whether a person supervises."""
        return self.args.person != "synthetic"

    def made_folder(self, task: str) -> RunFolder:
        """Makes and locks the folder of a new run, unless it is there.

        An error before the run's first summary removes it again.

        Raises:
            RunFolderError: It cannot be made.
        """
        if self.folder is None:
            self.folder = RunFolder.create(self.args.logs, task, self.args.name)
            self.lock.enter_context(removed_unless_begun(self.folder))
            self.held = self.lock.enter_context(self.folder.lock(command_line()))
        return self.folder


@contextlib.contextmanager
def removed_unless_begun(folder: RunFolder) -> Iterator[None]:
    """Removes the folder of a run that ends in an error before its first summary."""
    try:
        yield
    except BaseException:
        if not folder.summary_file.is_file():
            shutil.rmtree(folder.path, ignore_errors=True)
        raise


def train(args: argparse.Namespace, overrides: list[str], parser: argparse.ArgumentParser) -> None:
    """Starts a run, or goes on with one.

    Args:
        args: The command line.
        overrides: Settings beside it.
        parser: What read it: a run that goes on keeps the arguments that were left at their defaults.

    Raises:
        TaskUsageError: The run cannot be as it is asked for, or has learned nothing.
        RunFolderError, RecordingError, CheckpointError: A file that it starts from is damaged.
    """
    if args.learner is not None:
        overrides.append(f"agent.learner={args.learner}")
    check_live_args(args)
    recordings = None
    if args.from_recordings is not None:
        recordings = read_recordings(args, overrides)
    with contextlib.ExitStack() as lock:
        request = Request(args, overrides, recordings, lock)
        if args.resume is None:
            check_writable("log folder", args.logs / args.task / args.name)
        else:
            request.folder = RunFolder.open(args.resume, args.task)
            check_writable("run folder", request.folder.summary_file)
            if writes_files(args):
                request.held = lock.enter_context(request.folder.lock(command_line()))
            request.overrides = kept_arguments(request.folder, args, overrides, parser)
        check_skipping(args)
        fill_in_address(args)
        run(request)


def run(request: Request) -> None:
    """Runs what was asked for.

    Raises:
        TaskUsageError: The run cannot be as it is asked for, or has learned nothing.
    """
    args, recordings = request.args, request.recordings
    if args.distributed:
        args.device = device_of_process(args.device)
    if request.is_live and (args.distributed or recordings is not None):
        raise TaskUsageError("a live person supervises a run of one process, and not one of recordings")
    # A synthetic person is the expert. Everybody else is only compared with it, if there is one.
    sources = policies_of(args, not request.is_live and recordings is None, request.folder)
    settings = settings_for(args, request.overrides, sources, request.folder)
    cfg = MEReQCfg.from_dict(settings.agent)
    # What the prior's own run changed of the environment is this run's as well.
    overrides = [*settings.settings, *(setting for setting in request.overrides if setting.startswith("agent."))]
    if request.folder is not None:
        check_unfinished(request.folder, cfg)
    with contextlib.ExitStack() as cleanup:
        ranks = Ranks()
        if args.distributed:
            ranks = cleanup.enter_context(joined_ranks(settings.env_cfg.sim.device))
            settings.env_cfg.seed += ranks.rank
        process = None
        if request.is_live:
            request.made_folder(settings.task)  # the process in which people watch holds the lock as well
            process = cleanup.enter_context(start_supervision(args, overrides, request.held))
        env_params = settings.env_cfg.to_dict()  # opening it fills in what the simulator finds
        opened = cleanup.enter_context(opened_task(settings, sources, args.verbose))
        if not ranks.is_first:
            follower = Follower(opened.env, opened.spec, opened.policies["prior"], cfg, args.seed, ranks)
            follower.follow(RunFolder(Path(ranks.from_first())), not request.is_new)
            return
        folder = request.made_folder(settings.task)
        runner = make_runner(request, opened, cfg, folder, process, ranks)
        if request.is_new:
            keep_start(folder, sources, env_params)
        keep_arguments(folder, args, overrides, settings.env_cfg.sim.device)
        begin(runner, folder, request.is_new)
        ranks.from_first(str(folder.path))
        learn(runner, folder, process)
    conclude(request, runner, folder, process)


def make_runner(
    request: Request,
    opened: OpenedTask,
    cfg: MEReQCfg,
    folder: RunFolder,
    process: LiveProcess | None,
    ranks: Ranks,
) -> SupervisionRunner:
    """Builds the runner for whoever supervises; one that goes on is where its last round ended.

    Raises:
        TaskError, ConfigError, RunFolderError: See :class:`~mereq_algo.runner.SupervisionRunner`.
    """
    prior, expert = opened.policies["prior"], opened.policies.get("expert")
    parts = (opened.env, opened.spec, prior, expert, cfg, folder, request.args.seed, (), ranks)
    if process is not None:
        from ..live import LiveRunner  # no other run needs a web server

        runner: SupervisionRunner = LiveRunner(process, *parts)
    elif request.recordings is not None:
        runner = RecordedRunner(request.recordings, *parts)
    else:
        runner = SupervisionRunner(*parts)
    if request.is_new:
        record = runner.record
        record.command, record.versions, record.hardware = command_line(), versions(), hardware()
    else:
        runner.resume()
    return runner


def begin(runner: SupervisionRunner, folder: RunFolder, is_new: bool) -> None:
    """Writes what makes a folder one of a run. From then on the run can go on, whatever ends it."""
    folder.write_params("agent", runner.cfg.to_dict())
    folder.write_summary(runner.record.as_summary())
    if not is_new:
        shutil.rmtree((folder.path / VIDEO).parent, ignore_errors=True)  # of a policy that is no longer the last


def learn(runner: SupervisionRunner, folder: RunFolder, process: LiveProcess | None) -> None:
    """Runs all rounds, shows where they stand, and leaves curves and report, whatever ends them."""
    console = PlainConsole()
    console.print(f"run folder: {folder.path}", soft_wrap=True, highlight=False)
    if process is not None:
        console.print(f"supervise at: {process.url()}", style="bold", soft_wrap=True, highlight=False)
    log = TensorBoardLog(folder.path, runner.record.rounds)
    try:
        with ConsoleDisplay(runner.cfg.max_rounds, console) as display:
            runner.listeners += [log, display]
            runner.learn()
    finally:
        with report_and_continue("no curves"):
            log.close(runner.record, runner.cfg.to_dict())
        with report_and_continue("no report"):
            write_report(folder)


def conclude(request: Request, runner: SupervisionRunner, folder: RunFolder, process: LiveProcess | None) -> None:
    """Prints what came out, and makes export, film and report.

    Raises:
        TaskUsageError: Nothing was learned, or the export failed.
    """
    console, record = PlainConsole(), runner.record
    console.print(evaluation_table(record.evaluation, f"{record.task}: {', '.join(record.evaluation)}"))
    console.print(f"{record.status}; expert samples: {record.expert_samples[-1]}; run folder: {folder.path}")
    if record.status == NOTHING_LEARNED:
        raise TaskUsageError(f"{record.outcome}; run folder: {folder.path}")
    console.print(record.outcome, highlight=False, soft_wrap=True)
    if record.num_rejected and request.recordings is None:  # of recordings it was said before
        warn(f"{record.num_rejected} steps hold numbers that are not finite: they are not learned from")
    is_exported = process is None or process.ending() != "finish" or export_run(folder)
    if not request.args.no_video:
        film_run(folder)
    console.print(f"report: {write_report(folder)}", soft_wrap=True, highlight=False)
    if not is_exported:
        raise TaskUsageError(f"the run is whole, its export failed as said above; run folder: {folder.path}")
