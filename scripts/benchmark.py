# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Compares methods of alignment by how many expert samples they need, as the paper does.

Examples:
    ./isaaclab.sh -p scripts/benchmark.py --tasks Franka-Erase --methods all --seeds 5
    ./isaaclab.sh -p scripts/benchmark.py --tasks Franka-Erase --methods all --search --seeds 1 agent.max_rounds=3

Interrupted, it goes on where it stopped when it is started again with the same output folder.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from _common import REPOSITORY, PlainConsole, check_writable, one_line_errors
from mereq_tasks.arguments import (
    TaskUsageError,
    check_name,
    parse_settings,
    task_names,
)
from mereq_tasks.quiet import quiet

if TYPE_CHECKING:
    from mereq_algo.benchmark import Job
    from mereq_algo.irl import MaxEntIRLCfg

FAST = ("agent.max_rounds=2", "agent.inner.max_steps=20", "agent.inner.min_steps=10", "agent.evaluation_episodes=4")
FAST += ("agent.num_supervised=4", "agent.sac.learning_starts=64", "agent.cloning.updates_per_round=20")
FAST += ("env.episode_length_s=1", "env.scene.num_envs=12")
FIRST_SEARCH_SEED = 1_000
"""Values are tried on seeds that no method is judged by."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", required=True, help="ids of tasks")
    parser.add_argument(
        "--methods", nargs="+", default=["all"], help="names of methods, all, or ablations (of MEReQ; names work, too)"
    )
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0 on (default: 5)")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, as processes (default: 1)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "logs" / "benchmark", help="folder for everything")
    parser.add_argument("--search", action="store_true", help="instead try the values of each method's main knob")
    parser.add_argument("--fast", action="store_true", help="a few steps of a few robots: does everything work?")
    args, settings = parse_settings(parser)

    for task in args.tasks:
        check_name("task", task, task_names())
    for name, value in (("seeds", args.seeds), ("jobs", args.jobs)):
        if value < 1:
            raise TaskUsageError(f"{name} is {value}; at least 1 is needed")
    check_writable("output", args.output / "benchmark.csv")

    all_settings = (*settings, *(FAST if args.fast else ()))
    jobs, runs = plan(args, all_settings), args.output / "runs"
    try:
        carry_out(jobs, runs, args.jobs)
    finally:  # a run that failed takes nothing from the others
        if args.search:
            report_search(args.output, jobs, runs)
        else:
            report(args.output, all_settings, runs)


def plan(args: argparse.Namespace, settings: tuple[str, ...]) -> list[Job]:
    """Returns all runs of the benchmark, or of the search.

    Raises:
        TaskUsageError: There is no such method, or no search for it, or on no task anything to run.
    """
    from mereq_algo.benchmark import ABLATIONS, Job, searched
    from mereq_algo.methods import METHODS, is_distinct

    groups = {"all": list(METHODS), "ablations": list(ABLATIONS)}
    methods = [method for name in args.methods for method in groups.get(name, [name])]
    for method in methods:
        check_name("method", method, [*METHODS, *ABLATIONS, *groups])
        if args.search and method not in METHODS:
            raise TaskUsageError(f"there is no search for {method}; choose {', '.join(METHODS)}")
    jobs = []
    for task in args.tasks:
        irl = inference(task, settings)
        those = [method for method in methods if is_distinct(method, irl.objective)]
        if len(those) < len(methods):
            PlainConsole().print(f"{task}: no mereq_np, which is mereq where θ makes the person's actions likely")
        if args.search:
            values = ((method, setting) for method in those for setting in searched(method, irl.learning_rate))
            order = itertools.product(values, range(FIRST_SEARCH_SEED, FIRST_SEARCH_SEED + args.seeds))
            jobs += [Job(task, method, seed, (setting, *settings)) for (method, setting), seed in order]
        else:
            # Seed by seed, so that what is done so far compares all methods on the same seeds.
            order = itertools.product(range(args.seeds), those)
            jobs += [Job(task, method, seed, settings) for seed, method in order]
    if not jobs:
        raise TaskUsageError("methods: none of them is of use on any of the tasks")
    return jobs


def inference(task: str, settings: tuple[str, ...]) -> MaxEntIRLCfg:
    """Returns how the reward is inferred on a task, with the command line's changes.

    Raises:
        TaskUsageError, ConfigError: The task has no such setting, or not with such a value.
    """
    from mereq_algo.runner import MEReQCfg

    with quiet():
        from mereq_tasks.launch import settings_of

    return MEReQCfg.from_dict(settings_of(task, *settings).agent).irl


def carry_out(jobs: list[Job], runs: Path, num_at_once: int) -> None:
    """Runs what is not finished."""
    from mereq_algo.benchmark import run_jobs

    console = PlainConsole()
    console.print(f"{sum(not job.is_finished(runs) for job in jobs)} of {len(jobs)} runs to do, logs in {runs}")
    program = [sys.executable, str(REPOSITORY / "scripts" / "train_mereq.py")]

    def on_done(job: Job) -> None:
        result = job.result(runs)
        status = "" if result is None else f" ({result['status']})"
        console.print(f"done: {job.task} {job.name}{status}", highlight=False)

    run_jobs(jobs, program, runs, num_at_once, on_done)


def report_search(output: Path, jobs: list[Job], runs: Path) -> None:
    """Writes what each value came to, as far as it is finished, and prints it."""
    from mereq_algo.benchmark import as_search_markdown, check_figures

    finished = [(job.settings[0], summary) for job in jobs if (summary := job.result(runs)) is not None]
    if finished:
        check_figures(runs, (summary for _, summary in finished), is_search=True)
        write_texts(output, {"search.md": as_search_markdown(finished)})


def report(output: Path, settings: tuple[str, ...], runs: Path) -> None:
    """Writes tables and plots of all that is finished in the folder, whichever call ran it, and prints the tables."""
    from mereq_algo.benchmark import ABLATIONS, as_csv, as_markdown, check_figures, finished_runs, write_plots
    from mereq_algo.methods import METHODS

    methods = [*METHODS, *ABLATIONS]
    summaries = finished_runs(runs, methods, settings)
    if summaries:
        check_figures(runs, summaries)
        write_plots(output, summaries, methods)
        write_texts(output, {"benchmark.md": as_markdown(summaries, methods), "benchmark.csv": as_csv(summaries)})


def write_texts(output: Path, texts: dict[str, str]) -> None:
    """Writes texts into files, and prints those that are made to be read."""
    from mereq_algo.whole_file import write_text

    console = PlainConsole()
    for name, text in texts.items():
        write_text(output / name, text)
        if name.endswith(".md"):
            console.print(text, highlight=False, soft_wrap=True)
    console.print(f"benchmark: {output}")


if __name__ == "__main__":
    with one_line_errors():
        main()
