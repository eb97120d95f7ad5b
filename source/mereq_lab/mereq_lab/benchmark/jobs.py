# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The runs of a benchmark: which are finished, which go on, and N of them at once as processes."""

from __future__ import annotations

import glob
import hashlib
import re
import shlex
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mereq_algo.errors import UserError
from mereq_algo.records.outcome import FINISHED
from mereq_algo.records.run_folder import RunFolder, of_a_run

NOTHING_LEARNED_EXIT = 2
"""Exit status of ``train_mereq.py`` where a run has learned nothing, and where it could not run at all."""

_THETA_FACTORS = (0.5, 1.0, 2.0)
_CLONING_RATES = tuple(f"agent.cloning.learning_rate={rate:g}" for rate in (3e-5, 1e-4, 3e-4))


def searched(method: str, theta_rate: float) -> tuple[str, ...]:
    """Return the main knob of a method with the values that the search tries: three each, so that none is favoured.

    Args:
        method: Its name.
        theta_rate: The task's own step of θ, which the values are around.
    """
    if method in ("hg_dagger_ft", "iwr_ft"):
        return _CLONING_RATES
    return tuple(f"agent.irl.learning_rate={factor * theta_rate:g}" for factor in _THETA_FACTORS)


ABLATIONS: dict[str, tuple[str, ...]] = {
    "mereq_newest_round": ("agent.target.memory=0",),
    "mereq_short_inner_loop": ("agent.inner.max_steps=150",),
    "mereq_uncertainty": ("agent.irl.uncertainty=1",),
    "mereq_last_policy": ("agent.inner.average_steps=1",),
    "mereq_no_reaction": ("agent.target.reaction_steps=0",),
    "mereq_no_lookahead": ("agent.irl.proportional=0",),
}
"""MEReQ with one thing changed: only the newest round counts, a fifth of the inner loop, a θ that knows how uncertain
φ* is, the last policy instead of the average, steps right before a takeover counted as let pass, a reward that is not
ahead of θ."""

OWN_SETTINGS: dict[str, tuple[str, ...]] = dict.fromkeys(("hg_dagger_ft", "iwr_ft"), ("agent.max_rounds=100",))
"""What a method needs on every task: more rounds where one takes seconds, so that the budget of expert samples, the
same for all, ends the run. (Of one robot a round on Franka-Erase twenty rounds were half of it.)"""

FOUND_SETTINGS: dict[tuple[str, str], tuple[str, ...]] = {
    ("Franka-Erase", "maxent"): ("agent.irl.learning_rate=0.005",),
    ("Franka-Erase", "maxent_ft"): ("agent.irl.learning_rate=0.02",),
}
"""By task and method, the value that the search found where it is not the task's own."""


@dataclass(frozen=True)
class Job:
    """One run of a benchmark."""

    task: str
    method: str
    """A method, or the name of an ablation of MEReQ."""

    seed: int
    settings: tuple[str, ...] = ()
    """Settings beyond the task's own, as the command line takes them."""

    @property
    def name(self) -> str:
        """Name of the run: what tells it from all others of the same folder."""
        changes = "_".join(setting.removeprefix("agent.") for setting in self.settings).replace("/", "-")
        if len(changes) > 60:  # a name of a file has its limits
            changes = hashlib.sha256(changes.encode()).hexdigest()[:8]
        return "_".join(part for part in (self.method, f"seed{self.seed}", changes) if part)

    @property
    def all_settings(self) -> tuple[str, ...]:
        """All settings beyond the task's own: the method's, what the search found, and :attr:`settings`.

        What :attr:`settings` say themselves, as a search does, the others leave to them: so that the runs of a search
        remain what they are when its result is noted.
        """
        method = "mereq" if self.method in ABLATIONS else self.method
        own = (*OWN_SETTINGS.get(method, ()), *FOUND_SETTINGS.get((self.task, method), ()))
        own += ABLATIONS.get(self.method, ())
        said = {_name(setting) for setting in self.settings}
        own = tuple(setting for setting in own if _name(setting) not in said)
        return (f"agent.method={method}", *own, *self.settings)

    def find(self, logs: Path) -> tuple[Path, dict[str, Any]] | None:
        """Return the folder of this job's run and its summary, or None if it has not got that far.

        A run that failed before its first round was over cannot go on, and leaves a folder beside that of the next
        attempt: the finished one counts, else the newest that can go on. One with other settings, of before a search
        say, is none of this job; that more rounds may be taken meanwhile undoes none that is finished.

        The summary's ``method`` is that of the job, which for an ablation is its name.

        Raises:
            RunFolderError: The summary of a run of this name is damaged.
        """
        files = sorted((logs / self.task).glob(f"*_{glob.escape(self.name)}/summary.json"), reverse=True)
        found = []
        for file in files:
            summary = RunFolder(file.parent).read_summary("command", "status")
            with of_a_run(file):
                if self._is_of(summary["command"], is_finished=summary["status"] in FINISHED):
                    found.append((file.parent, summary | {"method": self.method}))
        return min(
            found, key=lambda run: (run[1]["status"] not in FINISHED, not _state(run[0]).is_file()), default=None
        )

    def _is_of(self, command: str, is_finished: bool) -> bool:
        """Return whether a run has the settings of this job."""
        differing = _settings(shlex.split(command)) ^ _settings(self.all_settings)
        return all(is_finished and setting.startswith("agent.max_rounds=") for setting in differing)

    def result(self, logs: Path) -> dict[str, Any] | None:
        """Return the summary of a run that needs nothing more, or None."""
        found = self.find(logs)
        return found[1] if found is not None and found[1]["status"] in FINISHED else None

    def is_finished(self, logs: Path) -> bool:
        """Return whether the run needs nothing more."""
        return self.result(logs) is not None

    def command(self, program: Sequence[str], logs: Path) -> list[str]:
        """Return the command line that does the job, or goes on with it.

        Args:
            program: What runs ``train_mereq.py``.
            logs: Where run folders go.
        """
        command = [*program, "--task", self.task, "--seed", str(self.seed), "--logs", str(logs), "--name", self.name]
        command.append("--no-video")
        found = self.find(logs)
        if found is not None and _state(found[0]).is_file():
            command += ["--resume", str(found[0])]
        return [*command, *self.all_settings]


def finished_runs(logs: Path, methods: Sequence[str], settings: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return the summaries of all runs that need nothing more, by task, seed and method.

    Args:
        logs: Where run folders are.
        methods: Methods and ablations that count.
        settings: Beyond the task's own, the same for all.
    """
    seeds = {
        (file.parents[1].name, int(number))
        for file in logs.glob("*/*/summary.json")
        for number in re.findall(r"_seed(\d+)", file.parent.name)
    }
    jobs = (Job(task, method, seed, settings) for task, seed in sorted(seeds) for method in methods)
    return [summary for job in jobs if (summary := job.result(logs)) is not None]


class JobError(UserError):
    """A run of the benchmark failed. The message is one line."""


def run_jobs(
    jobs: Iterable[Job],
    program: Sequence[str],
    logs: Path,
    num_at_once: int = 1,
    on_done: Callable[[Job], None] = lambda job: None,
) -> None:
    """Run all jobs that are not finished, each as a process that prints to a file beside the runs.

    Args:
        jobs: What to run.
        program: What runs ``train_mereq.py``.
        logs: Where run folders go.
        num_at_once: Processes at once; they share the cores.
        on_done: Called after each that did not fail.

    Raises:
        JobError: A run failed; the others are done all the same.
    """
    logs.mkdir(parents=True, exist_ok=True)
    processes: set[subprocess.Popen] = set()

    def run(job: Job) -> int:
        with (logs / f"{job.task}_{job.name}.log").open("a", encoding="utf-8") as output:
            process = subprocess.Popen(job.command(program, logs), stdout=output, stderr=output)
            processes.add(process)
            status = process.wait()
            processes.discard(process)
            return status

    failed = []
    pool = ThreadPoolExecutor(num_at_once)
    try:
        running = {pool.submit(run, job): job for job in jobs if not job.is_finished(logs)}
        for future in as_completed(running):
            job = running[future]
            if _is_done(job, future.result(), logs):
                on_done(job)
            else:
                failed.append(job)
    except BaseException:
        # Whoever ends the benchmark ends its runs, those that wait as well.
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(processes):
            process.terminate()
        raise
    finally:
        pool.shutdown()
    if failed:
        names = ", ".join(f"{job.task} {job.name}" for job in failed)
        raise JobError(f"runs failed: {names}; what they printed is in {logs}")


def _is_done(job: Job, status: int, logs: Path) -> bool:
    """Return whether a process did its job; one whose run has learned nothing ends with :data:`NOTHING_LEARNED_EXIT`.

    That run is finished: to start it again would change nothing.
    """
    return status == 0 or (status == NOTHING_LEARNED_EXIT and job.is_finished(logs))


def _name(setting: str) -> str:
    return setting.partition("=")[0]


def _settings(arguments: Iterable[str]) -> set[str]:
    """Return the settings of a command line that tell a run from others of its name: all but the method."""
    settings = (argument for argument in arguments if argument.startswith(("agent.", "env.", "physics=", "presets=")))
    return {setting for setting in settings if not setting.startswith("agent.method=")}


def _state(folder: Path) -> Path:
    """What a run goes on from."""
    return folder / "checkpoints" / "state.pt"
