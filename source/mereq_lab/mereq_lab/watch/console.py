# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the user sees in the terminal."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from mereq_algo.methods import InnerLoopProgress
from mereq_algo.records.evaluation_table import evaluation_rows
from mereq_algo.records.run_record import RunRecord

from ..plain_console import PlainConsole
from ..plain_text import plain


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class ConsoleDisplay:
    """Live panel on a terminal; one line a round where the output goes to a file."""

    def __init__(self, max_rounds: int, console: PlainConsole | None = None) -> None:
        """Set up the panel; use it as a context manager.

        Args:
            max_rounds: Budget of the run, for the time left.
            console: Where to print; standard output when left out.
        """
        self.max_rounds = max_rounds
        self.console = console or PlainConsole()
        self._live = Live(console=self.console, refresh_per_second=4, transient=True)
        self._printed_rounds = 0

    def __enter__(self) -> ConsoleDisplay:
        """Start the live panel, if there is a terminal."""
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the live panel."""
        if self._live.is_started:
            self._live.stop()

    def update(self, record: RunRecord, phase: str, inner: InnerLoopProgress | None) -> None:
        """Show where the run stands; see :class:`RunListener`."""
        self._print_new_rounds(record)
        if self._live.is_started:
            self._live.update(self._panel(record, phase, inner))

    def _print_new_rounds(self, record: RunRecord) -> None:
        for index in range(self._printed_rounds, record.rounds):
            self.console.print(
                f"round {index + 1}: person in control {_percent(record.intervention_rate[index])} of the time"
                f" (at most {_percent(record.intervention_rate_upper[index])}, goal {_percent(record.threshold)}),"
                f" {record.num_takeovers[index]} takeovers, {record.expert_samples[index]} expert samples,"
                f" success alone {_percent(record.rollout_success_rate[index])}, actions {record.actions},"
                f" {_clock(record.wall_time_s)}",
                highlight=False,
            )
        self._printed_rounds = record.rounds

    def _panel(self, record: RunRecord, phase: str, inner: InnerLoopProgress | None) -> Panel:
        facts = Table.grid(padding=(0, 2))
        round_number = min(record.rounds + (phase == "supervised rollout"), self.max_rounds)
        facts.add_row("round", f"{max(round_number, 1)} of at most {self.max_rounds}: {phase}")
        if record.rounds:
            facts.add_row(
                "intervention rate",
                f"{_percent(record.intervention_rate[-1])}, upper bound {_percent(record.intervention_rate_upper[-1])}"
                f" (goal {_percent(record.threshold)})",
            )
            facts.add_row("expert samples", str(record.expert_samples[-1]))
            facts.add_row("success alone", f"{_percent(record.rollout_success_rate[-1])}, actions {record.actions}")
        if inner is not None and math.isfinite(inner.gradient_norm):
            facts.add_row("‖∇θ‖", f"{inner.gradient_norm:.3f}")
        theta = record.theta if inner is None else inner.theta
        if theta:
            facts.add_row("θ", ", ".join(f"{name} {weight:+.2f}" for name, weight in theta.items()))
        if record.num_broken or record.num_rejected:
            facts.add_row(
                "broken physics", f"{record.num_broken} robots reset, {record.num_rejected} transitions refused"
            )
        if record.raw_sim_time_s:
            facts.add_row(
                "speed",
                f"{record.env_steps_per_s:,.0f} env-steps/s ({record.raw_env_steps_per_s:,.0f} without learning)",
            )
        facts.add_row("time", f"{_clock(record.wall_time_s)}, {self._time_left(record, inner)} left at most")
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        progress = Progress(*columns, console=self.console)
        if inner is not None:
            progress.add_task("learning", total=inner.max_steps, completed=inner.step)
        return Panel(Group(facts, progress), title=Text(plain(f"MEReQ on {record.task}")), border_style="cyan")

    def _time_left(self, record: RunRecord, inner: InnerLoopProgress | None) -> str:
        """Extrapolate from the share of all inner loops that is done; the last round has none."""
        num_loops = record.rounds if inner is None else record.rounds - 1 + inner.step / inner.max_steps
        if not num_loops:
            return "?"
        per_loop = record.wall_time_s / num_loops
        return _clock(per_loop * max(self.max_rounds - 1 - num_loops, 0))


def evaluation_table(evaluations: dict[str, dict[str, Any]], title: str) -> Table:
    """Return the table of figures, one column a policy.

    Args:
        evaluations: By policy name, as :meth:`Evaluation.as_dict` gives them.
        title: Stands above the table.
    """
    table = Table(title=Text(plain(title)), title_justify="left")
    table.add_column("")
    for name in evaluations:
        table.add_column(Text(plain(name)), justify="right")
    figures, features = evaluation_rows(evaluations)
    for label, cells in figures:
        table.add_row(Text(plain(label)), *cells)  # "[m]" is no markup
    table.add_section()
    for label, cells in features:
        table.add_row(Text(plain(f"feature {label}")), *cells)
    first = next(iter(evaluations.values()))
    # A narrow table wraps it: what matters most comes first.
    table.caption = f"actions {first['actions']}; mean ± standard error over {first['episodes']} episodes"
    return table
