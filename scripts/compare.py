# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Films policies side by side, in the same initial states: an mp4, an animated picture and stills.

Examples:
    ./isaaclab.sh -p scripts/compare.py --task Franka-Erase --policies prior expert
    ./isaaclab.sh -p scripts/compare.py --task Franka-Erase --policies prior aligned:<run folder> expert --episodes 3
    ./isaaclab.sh -p scripts/compare.py --task Franka-Erase --policies prior aligned:<run folder> --supervised

Needs no Isaac Sim, no display and no GPU. A person who supervises (--supervised) is the synthetic one of the task.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from _common import REPOSITORY, PlainConsole, check_writable, one_line_errors
from _opening import resolve_for, run_of, with_person_of_run
from _policies import SHIPPED, PolicySource, find_policy, load_policy, without_settings
from mereq_tasks.arguments import TaskUsageError, add_task_args, parse_task_args
from mereq_tasks.quiet import quiet

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

    from mereq_algo.film import FilmedEpisode
    from mereq_algo.intervention import SyntheticPerson
    from mereq_algo.networks import TrainedPolicy
    from mereq_algo.runner import PersonCfg
    from mereq_tasks.launch import OpenTask
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
    task: OpenTask,
    stage: Stage,
    sources: dict[str, PolicySource],
    person_cfg: PersonCfg | None,
    args: argparse.Namespace,
    console: PlainConsole,
) -> dict[str, list[FilmedEpisode]]:
    """Returns the episodes of every policy, by its name; supervised if there are settings of a person."""
    from mereq_algo.film import film_episodes
    from mereq_algo.runner import TaskSpec, make_person

    env, spec = task.env, TaskSpec(**task.names)
    spec.check(env)
    num_obs = env.get_observations()["policy"].shape[1]

    def load(source: PolicySource) -> TrainedPolicy:
        return load_policy(source, spec, num_obs, env.num_actions, env.device)

    def watched_by() -> SyntheticPerson | None:
        if person_cfg is None:
            return None
        expert = load(find_policy(args.task, "expert", run_of(sources)))
        return make_person(person_cfg, expert, len(sources), args.seed, str(env.device))

    episodes = {}
    for name, source in sources.items():
        person = watched_by()
        with console.status(f"running {args.episodes} episodes: {name}"):
            episodes[name] = film_episodes(
                env, stage, load(source).policy, spec.metric_names, args.episodes, args.seed, person, args.deterministic
            )
    return episodes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument(
        "--policies", nargs="+", required=True, metavar="POLICY", help="prior, expert, or NAME:PATH of a run or a file"
    )
    parser.add_argument("--episodes", type=int, default=3, help="number of episodes (default: 3)")
    parser.add_argument("--supervised", action="store_true", help="let the synthetic person take over, and show it")
    parser.add_argument("--deterministic", action="store_true", help="take mean actions instead of sampling")
    parser.add_argument("--output", type=Path, help="folder for the files (default: logs/compare/<task>/<time>)")
    args, overrides = parse_task_args(parser)
    if args.num_envs is not None:
        raise TaskUsageError("--num_envs does not apply: there is one robot a pane")
    if args.episodes < 1:
        raise TaskUsageError(f"episodes is {args.episodes}; at least 1 is needed")
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    output = args.output or REPOSITORY / "logs" / "compare" / args.task / stamp
    check_writable("film", output / "comparison.mp4")
    sources = named_policies(without_settings(args.policies, overrides), args.task)

    from mereq_algo.film import Trace, check_encoder, make_film, num_frames, pane_size
    from mereq_algo.runner import MEReQCfg

    check_encoder()
    with quiet(not args.verbose):
        from mereq_tasks.launch import load_view, open_task
        from mereq_tasks.view import Stage, add_view

    if args.supervised:
        overrides = with_person_of_run(sources, overrides)
    settings = resolve_for(sources, args, overrides, shows=True)
    settings.env_cfg.scene.num_envs = len(sources)
    view, size = load_view(args.task), pane_size(len(sources))
    add_view(settings.env_cfg, view, *size)
    person_cfg = MEReQCfg.from_dict(settings.agent).person if args.supervised else None
    console = PlainConsole()
    with open_task(settings, args.verbose) as task:
        env = cast("ManagerBasedRLEnv", task.env.unwrapped)
        stage = Stage(env, view, *size)
        episodes = run_episodes(task, stage, sources, person_cfg, args, console)
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
    for name, filmed in episodes.items():
        outcome = f"{sum(episode.success for episode in filmed)} of {len(filmed)} successful"
        taken = f", {sum(episode.num_takeovers for episode in filmed)} takeovers" if args.supervised else ""
        actions = "mean" if args.deterministic else "sampled"
        console.print(f"{name}: {outcome}{taken}, actions {actions}", highlight=False)
    console.print(f"video: {film.video}", soft_wrap=True, highlight=False)
    told = f"animated picture: {film.animation}; stills: {len(film.stills)}"
    console.print(told, soft_wrap=True, highlight=False)


if __name__ == "__main__":
    with one_line_errors():
        main()
