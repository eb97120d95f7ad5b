# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Compares methods of alignment: see ``scripts/benchmark.py``."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

from mereq_algo.atomic_write import write_text
from mereq_algo.irl import MaxEntIRLCfg
from mereq_algo.methods import METHODS, is_distinct
from mereq_algo.runner import MEReQCfg
from mereq_tasks.arguments import (
    TaskUsageError,
    check_name,
    task_names,
)
from mereq_tasks.quiet import quiet

from ..benchmark import (
    ABLATIONS,
    Job,
    as_csv,
    as_markdown,
    as_search_markdown,
    check_figures,
    finished_runs,
    run_jobs,
    searched,
    write_plots,
)
from ..errors import check_writable
from ..plain_console import PlainConsole
from ..provenance import REPOSITORY

FAST = ("agent.max_rounds=2", "agent.inner.max_steps=20", "agent.inner.min_steps=10", "agent.evaluation_episodes=4")
FAST += ("agent.num_supervised=4", "agent.sac.learning_starts=64", "agent.cloning.updates_per_round=20")
FAST += ("env.episode_length_s=1", "env.scene.num_envs=12")
FIRST_SEARCH_SEED = 1_000
"""Values are tried on seeds that no method is judged by."""


def benchmark(args: argparse.Namespace, settings: list[str]) -> None:
    """Runs what is not finished of a benchmark or a search, and writes tables and plots of all that is.

    Args:
        args: The command line.
        settings: Settings beside it, for all runs.

    Raises:
        TaskUsageError: There is no such task, method or search.
        JobError: A run failed.
    """
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
    with quiet():
        from mereq_tasks.launch import settings_of

    return MEReQCfg.from_dict(settings_of(task, *settings).agent).irl


def carry_out(jobs: list[Job], runs: Path, num_at_once: int) -> None:
    """Runs what is not finished."""
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
    finished = [(job.settings[0], summary) for job in jobs if (summary := job.result(runs)) is not None]
    if finished:
        check_figures(runs, (summary for _, summary in finished), is_search=True)
        write_texts(output, {"search.md": as_search_markdown(finished)})


def report(output: Path, settings: tuple[str, ...], runs: Path) -> None:
    """Writes tables and plots of all that is finished in the folder, whichever call ran it, and prints the tables."""
    methods = [*METHODS, *ABLATIONS]
    summaries = finished_runs(runs, methods, settings)
    if summaries:
        check_figures(runs, summaries)
        write_plots(output, summaries, methods)
        write_texts(output, {"benchmark.md": as_markdown(summaries, methods), "benchmark.csv": as_csv(summaries)})


def write_texts(output: Path, texts: dict[str, str]) -> None:
    """Writes texts into files, and prints those that are made to be read."""
    console = PlainConsole()
    for name, text in texts.items():
        write_text(output / name, text)
        if name.endswith(".md"):
            console.print(text, highlight=False, soft_wrap=True)
    console.print(f"benchmark: {output}")
