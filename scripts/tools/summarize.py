# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Prints runs side by side as a Markdown table: the figures of docs/results.md.

Example:
    ./isaaclab.sh -p scripts/tools/summarize.py logs/mereq/Franka-Erase/*
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mereq_algo.records.run_folder import of_a_run, read_summary
from mereq_lab.plain_console import PlainConsole
from mereq_lab.plain_text import plain
from mereq_lab.program import one_line_errors


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _policy_metric(policy: str, metric: str) -> Callable[[dict], str]:
    return lambda run: _percent(run["evaluation"].get(policy, {}).get(metric, {}).get("mean"))


ROWS: dict[str, Callable[[dict[str, Any]], str]] = {
    "status": lambda run: run["status"],
    "actions": lambda run: run.get("actions", "sampled"),
    "rounds": lambda run: str(run["rounds"]),
    "intervention rate, first round": lambda run: _percent(run["intervention_rate"][0]),
    "intervention rate, last round": lambda run: _percent(run["intervention_rate"][-1]),
    "its upper bound (95 %)": lambda run: _percent(run["intervention_rate_upper"][-1]),
    "expert samples": lambda run: str(run["expert_samples"][-1]),
    "ink removed: prior": _policy_metric("prior", "ink_removed"),
    "ink removed: aligned": _policy_metric("aligned", "ink_removed"),
    "ink removed: expert": _policy_metric("expert", "ink_removed"),
    "over the force limit: aligned": _policy_metric("aligned", "over_force_limit"),
    "over the force limit: expert": _policy_metric("expert", "over_force_limit"),
    "gap in expert return closed": lambda run: _percent(run["expert_return_gap_closed"]),
    "wall time": lambda run: f"{run['wall_time_s'] / 60:.1f} min",
    "simulation alone would take": lambda run: _percent(run["simulation_share"]),
    "env-steps/s": lambda run: f"{run['env_steps_per_s']:,.0f}",
    "env-steps/s of simulation alone": lambda run: f"{run['raw_env_steps_per_s']:,.0f}",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders or summary files")
    args = parser.parse_args()
    files = [path / "summary.json" if path.is_dir() else path for path in args.runs]
    columns = [column(file) for file in files]
    lines = ["| | " + " | ".join(f"seed {cells[0]}" for cells in columns) + " |", "|---|" + "---:|" * len(columns)]
    for index, label in enumerate(ROWS, start=1):
        lines.append(f"| {label} | " + " | ".join(cells[index] for cells in columns) + " |")
    PlainConsole(soft_wrap=True).print("\n".join(lines), highlight=False)


def column(file: Path) -> list[str]:
    """Returns the cells of a run: its seed, and those of :data:`ROWS`.

    Raises:
        RunFolderError: The file is missing, or no summary of a run.
    """
    run = read_summary(file)
    with of_a_run(file):
        return [plain(cell) for cell in (run["seed"], *(cell(run) for cell in ROWS.values()))]


if __name__ == "__main__":
    with one_line_errors():
        main()
