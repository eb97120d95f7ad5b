# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

r"""Lets exported policies wipe a simulated controller's board, over libfranka's protocol, from the same strokes.

The figures are the task's own, reckoned from what the arm measures. Beside them stand Isaac Lab's, from files that
`play.py --deterministic --json FILE env.commands.marks.touched_before=0` writes: mean actions, and no stroke begun
before, as on the arm. What is asked is whether the policies' advantage over the first of them, the prior, is kept.

Example:
    ./isaaclab.sh -p scripts/tools/benchmark_transfer.py --policies exported/prior exported/aligned \
        --isaac-lab 1.json 2.json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from mereq_deploy.arguments import UsageError
from mereq_deploy.contract import Contract
from mereq_deploy.guard import GuardedArm
from mereq_deploy.guard.messages import Settings
from mereq_deploy.policy import OnnxPolicy
from mereq_deploy.runtime import Episode, LogWriter, Outcome
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.simulated.process import simulated_robot
from mereq_deploy.tasks.marks import Marks
from mereq_deploy.tasks.strokes import Strokes
from mereq_lab.errors import check_writable
from mereq_lab.plain_console import PlainConsole
from mereq_lab.program import one_line_errors

COLUMNS = {
    "ink_removed": ("ink removed", "%"),
    "over_force_limit": ("over limit", "%"),
    "success": ("success", "%"),
    "force": ("force [N]", ""),
    "tracking_error_mm": ("error [mm]", ""),
    "missed": ("missed", ""),
    "stopped_early": ("stopped", "%"),
}
"""Figures of an episode: heading and unit. The error is the tool's distance from what it was asked to follow, root mean
square; missed are deadlines; stopped are episodes that the safety layer ended."""

ACTIONS = "mean"
"""Actions that an exported policy takes; Isaac Lab's figures must be of the same."""

KEPT = 0.8
"""Share of the advantage over the prior that has to be kept."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=Path, nargs="+", required=True, help="exported policies, the prior first")
    parser.add_argument("--isaac-lab", type=Path, nargs="+", help="figures of the same policies, from play.py --json")
    parser.add_argument("--episodes", type=int, default=20, help="of each policy (default: 20)")
    parser.add_argument("--seconds", type=float, help="length of an episode (default: the task's; longer: new strokes)")
    parser.add_argument("--json", type=Path, help="also write every episode's figures to this file")
    args = parser.parse_args()
    there = [read_figures(file) for file in args.isaac_lab or []]
    if there and len(there) != len(args.policies):
        raise UsageError(f"--isaac-lab names {len(there)} files for {len(args.policies)} policies")
    if args.json is not None:
        check_writable("figures", args.json)
    names = names_of(args.policies)
    found = {name: measure(folder, args.episodes, args.seconds) for name, folder in names.items()}
    ink = [mean(episodes, "ink_removed") for episodes in found.values()]
    ink_there = [figures["ink_removed"]["mean"] for figures in there]
    PlainConsole().print(table(found, there, ink, ink_there))
    if args.json is not None:
        args.json.write_text(json.dumps({"actions": ACTIONS, "episodes": found}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(share >= KEPT for share in advantage_kept(ink, ink_there)) else 1


def names_of(folders: list[Path]) -> dict[str, Path]:
    """Returns the folders by their names; where two have the same, by as much of their paths as tells all apart.

    Raises:
        UsageError: A folder is named twice.
    """
    places = [folder.resolve() for folder in folders]
    if len(set(places)) < len(places):
        raise UsageError("policies: the same folder is named twice")
    for length in range(1, max(len(place.parts) for place in places) + 1):
        names = [os.path.join(*place.parts[-length:]) for place in places]
        if len(set(names)) == len(names):
            return dict(zip(names, folders, strict=True))
    raise AssertionError("different paths have different names")


def advantage_kept(here: list[float], there: list[float]) -> list[float]:
    """Returns the share of each policy's advantage over the first that it has here as well; the first's is left out.

    Where nothing is known of there, nothing is kept of it: an empty list.
    """
    if not there:
        return []
    return [(one - here[0]) / (one_there - there[0]) for one, one_there in zip(here[1:], there[1:], strict=True)]


def read_figures(file: Path) -> dict[str, Any]:
    """Returns what play.py wrote.

    Raises:
        UsageError: It cannot be read, or is not of mean actions.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        for name in ("ink_removed", "over_force_limit"):
            float(found[name]["mean"])
        actions = found.get("actions", "not known")
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UsageError(f"figures cannot be read: {file} ({reason})") from error
    if actions != ACTIONS:
        raise UsageError(
            f"figures of Isaac Lab are of other actions: {file} (actions {actions}; an exported policy takes the"
            f" {ACTIONS}: play.py --deterministic)"
        )
    return found


def measure(folder: Path, num_episodes: int, seconds: float | None = None) -> list[dict[str, float]]:
    """Returns the figures of each episode.

    Raises:
        UsageError: The policy wipes nothing.
    """
    contract, limits = Contract.load(folder), SafetyLimits.load()
    law = contract.parameters.get("marks")
    if law is None:
        raise UsageError(f"nothing to wipe: the policy is of task {contract.task}")
    policy, console = OnnxPolicy(folder, contract), PlainConsole(stderr=True)
    steps_each = math.ceil(contract.episode_length_s * contract.rate_hz)
    steps = steps_each if seconds is None else math.ceil(seconds * contract.rate_hz)
    episodes = []
    with contextlib.ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        status = stack.enter_context(console.status(str(folder)))
        for seed in range(num_episodes):
            status.update(f"{folder}: episode {seed + 1} of {num_episodes}")
            draw = partial(Marks.drawn, law, np.random.default_rng(seed))
            strokes = Strokes(draw(), draw, steps_each)
            # A controller each: the arm starts where the contract says, as in the simulated task.
            with simulated_robot(contract.home) as robot, LogWriter(logs / f"{seed}.jsonl") as log:
                arm = GuardedArm(robot.address, contract, limits, Settings(speed=1.0))
                with contextlib.closing(arm):
                    outcome = Episode(arm, contract, policy, steps, log, strokes).run()
            episodes.append(figures_of(outcome, strokes, law))
    return episodes


def figures_of(outcome: Outcome, strokes: Strokes, law: dict[str, Any]) -> dict[str, float]:
    """Returns what an episode came to."""
    assert outcome.stopped is not None
    is_success = (
        outcome.stopped.is_regular
        and strokes.ink_removed >= law["success_ink_removed"]
        and strokes.over_force_limit <= law["success_over_force_limit"]
    )
    return {
        **{"ink_removed": strokes.ink_removed, "over_force_limit": strokes.over_force_limit},
        **{"success": float(is_success), "strokes": float(strokes.num_strokes), "steps": float(outcome.steps)},
        **{"force": float(np.mean(outcome.force)), "force_95": float(np.quantile(outcome.force, 0.95))},
        "tracking_error_mm": 1e3 * float(np.sqrt(np.mean(np.square(outcome.tracking_error)))),
        **{"missed": float(outcome.missed), "stopped_early": float(not outcome.stopped.is_regular)},
        "inference_share": float(np.sum(outcome.inference)) / outcome.wall_time,
    }


def table(
    found: dict[str, list[dict[str, float]]], there: list[dict], ink: list[float], ink_there: list[float]
) -> Table:
    """Returns the figures of all policies, with Isaac Lab's where they are known."""
    shown = Table("policy", *(heading for heading, _ in COLUMNS.values()), caption=f"actions {ACTIONS}")
    if there:
        for heading in ("ink in Isaac Lab", "over limit there", "advantage kept"):
            shown.add_column(heading)
    kept = ["", *(f"{share:.0%}" for share in advantage_kept(ink, ink_there))]
    for index, (name, episodes) in enumerate(found.items()):
        cells = [spread([episode[key] for episode in episodes], unit) for key, (_, unit) in COLUMNS.items()]
        if there:
            cells += [f"{there[index][key]['mean']:.1%}" for key in ("ink_removed", "over_force_limit")] + [kept[index]]
        shown.add_row(name, *cells)
    return shown


def mean(episodes: list[dict[str, float]], key: str) -> float:
    """Returns the mean of a figure."""
    return float(np.mean([episode[key] for episode in episodes]))


def spread(values: list[float], unit: str) -> str:
    """Returns mean and standard error as text."""
    average, stderr = float(np.mean(values)), float(np.std(values) / np.sqrt(len(values)))
    return f"{average:.1%} ± {stderr:.1%}" if unit == "%" else f"{average:.1f} ± {stderr:.1f}"


if __name__ == "__main__":
    with one_line_errors():
        sys.exit(main())
