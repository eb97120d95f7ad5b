# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Lets exported policies wipe a simulated controller's board, over libfranka's protocol, from the same strokes.

The figures are the task's own, reckoned from what the arm measures. `play.py` has Isaac Lab's beside them, with
`env.commands.marks.touched_before=0`: here no stroke was begun before.

Example:
    ./isaaclab.sh -p scripts/benchmark_transfer.py --policies exported/prior exported/aligned exported/expert
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mereq_deploy.cli import USER_ERRORS, UsageError
from mereq_deploy.contract import Contract
from mereq_deploy.guard import GuardedArm
from mereq_deploy.guard.messages import Settings
from mereq_deploy.policy import OnnxPolicy
from mereq_deploy.runtime import Episode, LogWriter, Outcome
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.simulated.process import simulated_robot
from mereq_deploy.tasks.marks import Marks

COLUMNS = {
    "ink_removed": ("ink removed", "%"),
    "over_force_limit": ("over limit", "%"),
    "success": ("success", "%"),
    "force": ("force [N]", ""),
    "missed": ("missed", ""),
    "stopped_early": ("stopped", "%"),
}
"""Figures of an episode: heading and unit. Missed are deadlines; stopped are episodes that the safety layer ended."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=Path, nargs="+", required=True, help="folders that export_policy.py made")
    parser.add_argument("--episodes", type=int, default=20, help="of each policy (default: 20)")
    parser.add_argument("--json", type=Path, help="also write every episode's figures to this file")
    args = parser.parse_args()
    try:
        found = {str(folder): _measure(folder, args.episodes) for folder in args.policies}
    except USER_ERRORS as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        return 2
    table = Table("policy", *(heading for heading, _ in COLUMNS.values()))
    for name, episodes in found.items():
        table.add_row(
            name, *(_mean([episode[key] for episode in episodes], unit) for key, (_, unit) in COLUMNS.items())
        )
    Console().print(table)
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def _measure(folder: Path, num_episodes: int) -> list[dict[str, float]]:
    contract, limits = Contract.load(folder), SafetyLimits.load()
    law = contract.parameters.get("marks")
    if law is None:
        raise UsageError(f"nothing to wipe: the policy is of task {contract.task}")
    policy, console = OnnxPolicy(folder, contract), Console(stderr=True)
    episodes = []
    with contextlib.ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        status = stack.enter_context(console.status(str(folder)))
        for seed in range(num_episodes):
            status.update(f"{folder}: episode {seed + 1} of {num_episodes}")
            marks = Marks(Marks.draw(law, np.random.default_rng(seed)), law)
            # A controller each: the arm starts where the contract says, as in the simulated task.
            with simulated_robot(contract.home) as robot, LogWriter(logs / f"{seed}.jsonl") as log:
                arm = GuardedArm(robot.address, contract, limits, Settings(speed=1.0))
                with contextlib.closing(arm):
                    steps = math.ceil(contract.episode_length_s * contract.rate_hz)
                    outcome = Episode(arm, contract, policy, steps, log, marks).run()
            episodes.append(_figures(outcome, marks, law))
    return episodes


def _figures(outcome: Outcome, marks: Marks, law: dict[str, Any]) -> dict[str, float]:
    assert outcome.stopped is not None
    is_success = (
        outcome.stopped.is_regular
        and marks.ink_removed >= law["success_ink_removed"]
        and marks.over_force_limit <= law["success_over_force_limit"]
    )
    return {
        **{"ink_removed": marks.ink_removed, "over_force_limit": marks.over_force_limit, "success": float(is_success)},
        **{"force": float(np.mean(outcome.force)), "force_95": float(np.quantile(outcome.force, 0.95))},
        **{"missed": float(outcome.missed), "stopped_early": float(not outcome.stopped.is_regular)},
    }


def _mean(values: list[float], unit: str) -> str:
    mean, stderr = float(np.mean(values)), float(np.std(values) / np.sqrt(len(values)))
    return f"{mean:.0%} ± {stderr:.0%}" if unit == "%" else f"{mean:.1f} ± {stderr:.1f}"


if __name__ == "__main__":
    sys.exit(main())
