# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

r"""Aligns a task's prior with what a person wants, from that person's interventions.

Examples:
    ./isaaclab.sh -p scripts/train_mereq.py --task Franka-Erase
    ./isaaclab.sh -p scripts/train_mereq.py --task Franka-Erase --person browser
    ./isaaclab.sh -p scripts/train_mereq.py --task Franka-Erase --from-recordings logs/mereq/Franka-Erase/*/recordings
    ./isaaclab.sh -p -m torch.distributed.run --nproc_per_node=2 -- \
        scripts/train_mereq.py --distributed --task Franka-Erase

Settings are changed as everywhere in Isaac Lab: agent.max_rounds=4, env.episode_length_s=6, physics=physx.
A run that is resumed keeps its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _common import (
    REPOSITORY,
    PlainConsole,
    check_writable,
    command_line,
    hardware,
    one_line_errors,
    told_in_one_line,
    versions,
    warn,
)
from _film import film_run
from _live import add_live_args, check_live_args, export_run, fill_in_address, start_supervision
from _opening import meaning_of, resolve_for
from _policies import SHIPPED, find_policy, load_policy, meaning_in_params, meaning_of_run
from _resume import check_unfinished, keep_arguments, kept_arguments
from mereq_tasks.arguments import TaskUsageError, add_task_args, check_settings, parse_task_args
from mereq_tasks.quiet import quiet
from mereq_tasks.shipped import shipped_policy

if TYPE_CHECKING:
    from _policies import PolicySource
    from mereq_algo.recording import RecordedEpisode
    from mereq_algo.runner import RunFolder
    from mereq_tasks.launch import TaskSettings


def read_recordings(args: argparse.Namespace, overrides: list[str]) -> list[RecordedEpisode]:
    """Returns the recorded episodes, and moves the settings that argparse took for more files to the others.

    Raises:
        TaskUsageError: The run is to be resumed, or a setting has no such form.
        RecordingError: There are no recordings, or they cannot be read.
    """
    from mereq_algo.recording import gather, notes_on

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


def device_of_process(device: str | None) -> str | None:
    """Returns the device of this process, of several on this machine.

    Raises:
        TaskUsageError: Nobody said which of them this is.
    """
    from mereq_algo.ranks import ENVIRONMENT, device_of_rank

    missing = [name for name in ENVIRONMENT if name not in os.environ]
    if missing:
        raise TaskUsageError(f"--distributed is for -m torch.distributed.run, which sets {', '.join(missing)}")
    return device_of_rank(device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument("--prior", default="prior", help="policy to align: prior, a run folder or a file")
    parser.add_argument("--name", default="mereq", help="name of the run, part of its folder's")
    parser.add_argument("--logs", type=Path, default=REPOSITORY / "logs" / "mereq", help="where run folders go")
    parser.add_argument(
        "--from-recordings", nargs="+", type=Path, help="learn once from these files or folders, with no person present"
    )
    parser.add_argument(
        "--skip-damaged",
        action="store_true",
        help="go on without recordings that cannot be read, of --from-recordings or of the round to resume",
    )
    parser.add_argument("--resume", type=Path, help="run folder to go on with, from its last completed round")
    parser.add_argument(
        "--distributed",
        action="store_true",
        help="be one of torch.distributed.run's processes, which learn as one",
    )
    parser.add_argument(
        "--person",
        default="synthetic",
        choices=("synthetic", "browser", "spacemouse"),
        help="an expert policy (default), or somebody at a page in the browser, with a SpaceMouse or not",
    )
    parser.add_argument(
        "--learner",
        choices=("sac", "ppo"),
        help="what learns a policy for the inferred reward: residual Q-learning (default) or residual PPO",
    )
    add_live_args(parser)
    parser.add_argument("--no-video", action="store_true", help="make no comparison video at the end")
    args, overrides = parse_task_args(parser)
    if args.learner is not None:
        overrides.append(f"agent.learner={args.learner}")

    check_live_args(args)
    recordings = None
    if args.from_recordings is not None:
        recordings = read_recordings(args, overrides)
    with contextlib.ExitStack() as lock:  # of the run folder, from the first look at it to the last file in it
        folder, held = None, -1
        if args.resume is None:
            check_writable("log folder", args.logs / args.task / args.name)
        else:
            from mereq_algo.runner import RunFolder

            folder = RunFolder.open(args.resume, args.task)
            check_writable("run folder", folder.summary_file)
            if writes_files(args):
                held = lock.enter_context(folder.lock(command_line()))
            overrides = kept_arguments(folder, args, overrides, parser)
        check_skipping(args)
        fill_in_address(args)
        run(args, overrides, recordings, folder, lock, held)


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


def run(
    args: argparse.Namespace,
    overrides: list[str],
    recordings: list[RecordedEpisode] | None,
    folder: RunFolder | None,
    lock: contextlib.ExitStack,
    held: int,
) -> None:
    """Starts a run, or goes on with one, whose folder is locked; ``held`` is the lock's descriptor.

    Raises:
        TaskUsageError: The run cannot be as it is asked for, or has learned nothing.
    """
    if args.distributed:
        args.device = device_of_process(args.device)
    is_live = args.person != "synthetic"
    if is_live and (args.distributed or recordings is not None):
        raise TaskUsageError("a live person supervises a run of one process, and not one of recordings")
    # A synthetic person is the expert. Everybody else is only compared with it, if there is one.
    sources = policies_of(args, not is_live and recordings is None, folder)

    from mereq_algo.ranks import Ranks, joined_ranks
    from mereq_algo.report import VIDEO, write_report
    from mereq_algo.runner import (
        NOTHING_LEARNED,
        ConsoleDisplay,
        Follower,
        MEReQCfg,
        RecordedRunner,
        RunFolder,
        SupervisionRunner,
        TaskSpec,
        TensorBoardLog,
        TimedEnv,
        evaluation_table,
    )

    with quiet(not args.verbose):
        from mereq_tasks.launch import open_task

    if folder is None:
        settings = resolve_for(sources, args, overrides, trains=True)
    else:
        settings = resolve_again(folder, args, overrides)
    cfg = MEReQCfg.from_dict(settings.agent)
    # What the prior's own run changed of the environment is this run's as well.
    overrides = [*settings.settings, *(setting for setting in overrides if setting.startswith("agent."))]
    if folder is not None:
        check_unfinished(folder, cfg)
    console = PlainConsole()
    with contextlib.ExitStack() as cleanup:
        ranks = Ranks()
        if args.distributed:
            ranks = cleanup.enter_context(joined_ranks(settings.env_cfg.sim.device))
            settings.env_cfg.seed += ranks.rank
        is_new, process = folder is None, None
        if is_live:
            if folder is None:  # the process in which people watch holds the lock as well
                folder, held = new_folder(args, settings.task, lock)
            process = cleanup.enter_context(start_supervision(args, overrides, held))
        env_params = settings.env_cfg.to_dict()  # opening it fills in what the simulator finds
        task = cleanup.enter_context(open_task(settings, args.verbose))
        env, spec = TimedEnv(task.env), TaskSpec(**task.names)
        spec.check(env)
        num_obs = env.get_observations()["policy"].shape[1]
        policies = {
            name: load_policy(source, spec, num_obs, env.num_actions, env.device) for name, source in sources.items()
        }
        prior, expert = policies["prior"], policies.get("expert")
        if not ranks.is_first:
            follower = Follower(env, spec, prior, cfg, args.seed, ranks)
            follower.follow(RunFolder(Path(ranks.from_first())), args.resume is not None)
            return
        if folder is None:
            folder = new_folder(args, settings.task, lock)[0]
        parts = (env, spec, prior, expert, cfg, folder, args.seed, (), ranks)
        if process is not None:
            from mereq_algo.live import LiveRunner  # nobody else needs a web server

            runner = LiveRunner(process, *parts)
        else:
            runner = SupervisionRunner(*parts) if recordings is None else RecordedRunner(recordings, *parts)
        if is_new:
            record = runner.record
            record.command, record.versions, record.hardware = command_line(), versions(), hardware()
            keep_start(folder, sources, env_params)
        else:
            runner.resume()
        keep_arguments(folder, args, overrides, settings.env_cfg.sim.device)
        folder.write_params("agent", cfg.to_dict())
        folder.write_summary(runner.record.as_summary())  # from now on it can go on, whatever ends it
        if not is_new:
            shutil.rmtree((folder.path / VIDEO).parent, ignore_errors=True)  # of a policy that is no longer the last
        ranks.from_first(str(folder.path))
        console.print(f"run folder: {folder.path}", soft_wrap=True, highlight=False)
        if process is not None:
            console.print(f"supervise at: {process.url()}", style="bold", soft_wrap=True, highlight=False)
        log = TensorBoardLog(folder.path, runner.record.rounds)
        try:
            with ConsoleDisplay(cfg.max_rounds, console) as display:
                runner.listeners += [log, display]
                record = runner.learn()
        finally:
            with told_in_one_line("no curves"):
                log.close(runner.record, cfg.to_dict())
            with told_in_one_line("no report"):
                write_report(folder)
    console.print(evaluation_table(record.evaluation, f"{spec.task}: {', '.join(record.evaluation)}"))
    console.print(f"{record.status}; expert samples: {record.expert_samples[-1]}; run folder: {folder.path}")
    if record.status == NOTHING_LEARNED:
        raise TaskUsageError(f"{record.outcome}; run folder: {folder.path}")
    console.print(record.outcome, highlight=False, soft_wrap=True)
    if record.num_rejected and recordings is None:  # of recordings it was said before
        warn(f"{record.num_rejected} steps hold numbers that are not finite: they are not learned from")
    is_exported = process is None or process.ending() != "finish" or export_run(folder)
    if not args.no_video:
        film_run(folder)
    console.print(f"report: {write_report(folder)}", soft_wrap=True, highlight=False)
    if not is_exported:
        raise TaskUsageError(f"the run is whole, its export failed as said above; run folder: {folder.path}")


def new_folder(args: argparse.Namespace, task: str, lock: contextlib.ExitStack) -> tuple[RunFolder, int]:
    """Makes and locks the folder of a new run. An error before the run's first summary removes it again.

    Returns:
        The folder, and the descriptor of its lock.

    Raises:
        RunFolderError: It cannot be made.
    """
    from mereq_algo.runner import RunFolder

    folder = RunFolder.create(args.logs, task, args.name)

    @contextlib.contextmanager
    def removed_unless_begun() -> Iterator[None]:
        try:
            yield
        except BaseException:
            if not folder.summary_file.is_file():
                shutil.rmtree(folder.path, ignore_errors=True)
            raise

    lock.enter_context(removed_unless_begun())
    return folder, lock.enter_context(folder.lock(command_line()))


def keep_start(folder: RunFolder, sources: dict[str, PolicySource], env_params: dict[str, Any]) -> None:
    """Writes down what a run starts from: its policies, and all settings of the environment before it was opened."""
    for name, source in sources.items():
        folder.keep_policy(name, source.content)
    folder.write_params("env", env_params)


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


if __name__ == "__main__":
    with one_line_errors():
        main()
