# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Films policies side by side: see ``scripts/compare.py``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mereq_algo.intervention import SyntheticPerson
from mereq_algo.runner import MEReQCfg, PersonCfg, make_person
from mereq_tasks.arguments import TaskUsageError
from mereq_tasks.quiet import quiet

from ..errors import check_writable
from ..film import FilmedEpisode, FilmFiles, Trace, check_encoder, film_episodes, make_film, num_frames, pane_size
from ..opening import OpenedTask, opened_task, resolve_for, run_of, with_person_of_run
from ..plain_console import PlainConsole
from ..policies import SHIPPED, PolicySource, find_policy, without_settings
from ..provenance import REPOSITORY

if TYPE_CHECKING:
    from mereq_tasks.launch import TaskSettings
    from mereq_tasks.view import Stage

MAX_PANES = 4
"""More would be too narrow to see anything."""


def named_policies(arguments: list[str], task: str) -> dict[str, PolicySource]:
    """Returns the policies by the names that their panes get.

    Beside a run ``prior`` is what it started from, and ``expert`` the one that it was compared with.

    Args:
        arguments: Each ``prior``, ``expert``, or ``NAME:PATH`` with a run folder or a policy file.
        task: Id of the task.

    Raises:
        TaskUsageError: None, too many, or two of one name.
    """
    if not 1 <= len(arguments) <= MAX_PANES:
        raise TaskUsageError(f"{len(arguments)} policies are asked for; 1 to {MAX_PANES} fit side by side")
    named: dict[str, str] = {}
    for argument in arguments:
        name, colon, policy = argument.partition(":")
        if not colon and argument not in SHIPPED:
            name, policy = Path(argument).stem, argument
        if name in named:
            raise TaskUsageError(f"two policies are called {name!r}; give one another name: NAME:PATH")
        named[name] = policy or argument
    sources = {name: find_policy(task, policy) for name, policy in named.items()}
    run = run_of(sources)
    return {name: find_policy(task, named[name], run) if source.follows else source for name, source in sources.items()}


def run_episodes(
    opened: OpenedTask,
    stage: Stage,
    sources: dict[str, PolicySource],
    person_cfg: PersonCfg | None,
    args: argparse.Namespace,
    console: PlainConsole,
) -> dict[str, list[FilmedEpisode]]:
    """Returns the episodes of every policy, by its name; supervised if there are settings of a person."""
    env = opened.vec_env

    def watched_by() -> SyntheticPerson | None:
        if person_cfg is None:
            return None
        expert = opened.load(find_policy(args.task, "expert", run_of(sources)))
        return make_person(person_cfg, expert, len(sources), args.seed, str(env.device))

    episodes = {}
    for name, trained in opened.policies.items():
        person = watched_by()
        with console.status(f"running {args.episodes} episodes: {name}"):
            metrics = opened.spec.metric_names
            episodes[name] = film_episodes(
                env, stage, trained.policy, metrics, args.episodes, args.seed, person, args.deterministic
            )
    return episodes


def compare(args: argparse.Namespace, overrides: list[str]) -> None:
    """Runs episodes of all policies from the same initial states, and films them.

    Args:
        args: The command line.
        overrides: Settings beside it.

    Raises:
        TaskUsageError: The command line asks for what cannot be, or the policies do not go together.
        FilmError: There is no encoder, or the film cannot be written.
        CheckpointError, RunFolderError: A policy's file or run is damaged.
    """
    if args.num_envs is not None:
        raise TaskUsageError("--num_envs does not apply: there is one robot a pane")
    if args.episodes < 1:
        raise TaskUsageError(f"episodes is {args.episodes}; at least 1 is needed")
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    output = args.output or REPOSITORY / "logs" / "compare" / args.task / stamp
    check_writable("film", output / "comparison.mp4")
    sources = named_policies(without_settings(args.policies, overrides), args.task)
    check_encoder()
    if args.supervised:
        overrides = with_person_of_run(sources, overrides)
    settings = resolve_for(sources, args, overrides, shows=True)
    console = PlainConsole()
    episodes, film = film_policies(settings, sources, args, output, console)
    for name, filmed in episodes.items():
        outcome = f"{sum(episode.success for episode in filmed)} of {len(filmed)} successful"
        taken = f", {sum(episode.num_takeovers for episode in filmed)} takeovers" if args.supervised else ""
        actions = "mean" if args.deterministic else "sampled"
        console.print(f"{name}: {outcome}{taken}, actions {actions}", highlight=False)
    console.print(f"video: {film.video}", soft_wrap=True, highlight=False)
    told = f"animated picture: {film.animation}; stills: {len(film.stills)}"
    console.print(told, soft_wrap=True, highlight=False)


def film_policies(
    settings: TaskSettings,
    sources: dict[str, PolicySource],
    args: argparse.Namespace,
    output: Path,
    console: PlainConsole,
) -> tuple[dict[str, list[FilmedEpisode]], FilmFiles]:
    """Opens the task with a camera, runs the episodes and draws them.

    Returns:
        The episodes of every policy, and the files of the film.
    """
    with quiet(not args.verbose):
        from mereq_tasks.launch import load_view
        from mereq_tasks.view import Stage, add_view

    settings.env_cfg.scene.num_envs = len(sources)
    view, size = load_view(args.task), pane_size(len(sources))
    add_view(settings.env_cfg, view, *size)
    person_cfg = MEReQCfg.from_dict(settings.agent).person if args.supervised else None
    with opened_task(settings, sources, args.verbose) as opened:
        env = opened.unwrapped
        stage = Stage(env, view, *size)
        episodes = run_episodes(opened, stage, sources, person_cfg, args, console)
        trace = Trace(view.trace.label, view.trace.unit, view.trace.preferred(env), view.trace.limits)
        counted = (BarColumn(), MofNCompleteColumn(), TextColumn("frames,"), TimeRemainingColumn())
        with Progress(TextColumn("drawing"), *counted, console=console) as progress:
            bar = progress.add_task("", total=num_frames(episodes, env.step_dt))
            film = make_film(
                stage,
                episodes,
                (args.task, settings.env_cfg.goal),
                trace,
                env.step_dt,
                output,
                args.supervised,
                lambda: progress.advance(bar),
            )
    return episodes, film
