# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Leads a simulated arm that aborts what an FR3 would abort along a circle, through guard and client, again and again.

The controller checks lost packets and the FR3's limits of torque, velocity, acceleration and jerk. Once on the machine
as it is, and once with every core kept busy by something else. The first time the controller's packages are fetched.

Example:
    ./isaaclab.sh -p scripts/tools/benchmark_streaming.py --policy exported/erase --seconds 30 --repeat 5
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from mereq_deploy.contract import Contract
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.simulated.process import strict_robot
from mereq_deploy.simulated.streaming import Streamed, busy, stream
from mereq_lab.plain_console import PlainConsole
from mereq_lab.program import one_line_errors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True, help="folder that export_policy.py made")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each motion (default: 30)")
    parser.add_argument("--repeat", type=int, default=5, help="motions on an idle and on a busy machine (default: 5)")
    parser.add_argument("--json", type=Path, help="also write every motion's figures to this file")
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    console = PlainConsole()
    found: dict[str, list[Streamed]] = {}
    contract, limits = Contract.load(args.policy), SafetyLimits.load()
    for name, num_busy in (("idle", 0), (f"{cores} cores busy", cores)):
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            robot = stack.enter_context(strict_robot())
            stack.enter_context(busy(num_busy))
            stack.enter_context(console.status(name))
            found[name] = [
                stream(robot.address, contract, limits, args.seconds, folder / f"{index}.jsonl")
                for index in range(args.repeat)
            ]
    table = Table("machine", "not aborted", "missed deadlines", "error, RMS [mm]", "error, most [mm]")
    for name, motions in found.items():
        table.add_row(
            name,
            f"{sum(motion.is_whole for motion in motions)} of {len(motions)}",
            f"{sum(motion.missed for motion in motions)} of {sum(motion.steps for motion in motions)}",
            f"{1e3 * max(motion.error_rms for motion in motions):.1f}",
            f"{1e3 * max(motion.error_most for motion in motions):.1f}",
        )
        for motion in motions:
            if not motion.is_whole:
                console.print(f"{name}: {motion.reason}")
    console.print(table)
    if args.json is not None:
        rows = {name: [asdict(motion) for motion in motions] for name, motions in found.items()}
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0 if all(motion.is_whole for motions in found.values() for motion in motions) else 1


if __name__ == "__main__":
    with one_line_errors():
        sys.exit(main())
