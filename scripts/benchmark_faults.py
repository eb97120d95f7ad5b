# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Does everything that can go wrong to a simulated arm in motion, many times, and says how soon it stood.

Times are the policy's process's and those of a witness in the simulated controller; run it on an idle machine.

Example:
    ./isaaclab.sh -p scripts/benchmark_faults.py --policy exported/erase --repeat 20
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.table import Table

from _common import PlainConsole, one_line_errors
from mereq_deploy.contract import Contract
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.simulated.fault_runs import REFUSALS, Finding, run_fault, run_killed_policy, run_refusal
from mereq_deploy.simulated.faults import FAULTS
from mereq_deploy.simulated.terminal_runs import TERMINAL_FAULTS, run_at_terminal, run_tap

TO_REST = 0.3
"""What is promised from the stop to rest [s]; each fault has its own time to the stop."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True, help="folder that export_policy.py made")
    parser.add_argument("--repeat", type=int, default=20, help="how often each (default: 20)")
    parser.add_argument(
        "--jobs", type=int, default=1, help="how many at a time, each of which needs a core (default: 1)"
    )
    parser.add_argument("--only", default="", metavar="REGEX", help="only faults whose name this matches")
    parser.add_argument("--json", type=Path, help="also write every finding to this file")
    args = parser.parse_args()
    if args.jobs < 1 or args.repeat < 1:
        parser.error("--jobs and --repeat must be at least 1")
    console = PlainConsole()
    runs = [promise for promise in promises(args.policy) if re.search(args.only, promise.name)]
    table = Table("fault", "as it should", "to the stop, most [s]", "then to rest, most [s]")
    num_failed, rows = 0, []
    # Each in the main thread of a process, which is the one that Ctrl-C reaches.
    with ProcessPoolExecutor(args.jobs, multiprocessing.get_context("spawn"), _hear_ctrl_c) as pool:
        begun = {run.name: [pool.submit(_run, args.policy, run.name) for _ in range(args.repeat)] for run in runs}
        for promise in runs:
            name = promise.name
            with console.status(name):
                findings = [future.result() for future in begun[name]]
            good = [promise.is_kept_by(found) for found in findings]
            num_failed += good.count(False)
            rows += [{**asdict(found), "as_it_should": is_good} for found, is_good in zip(findings, good, strict=True)]
            if args.json is not None:  # as it goes: all of them take hours
                args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            for found in (found for found, is_good in zip(findings, good, strict=True) if not is_good):
                console.print(f"{found}")
            table.add_row(name, f"{sum(good)} of {len(good)}", *(_most(findings, of) for of in ("to_stop", "to_rest")))
    console.print(table)
    return 1 if num_failed else 0


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what it puts aside deaf to it


@dataclass(frozen=True)
class Promise:
    """What a fault is to come to."""

    name: str
    run: Callable[[], Finding]
    message: str
    """What the program has to say, as a regular expression."""

    to_stop: float = 0.1
    """From the cause to the stop, at most [s]."""

    to_rest: float = TO_REST
    """From there to the arm at rest [s]; from the cause where the stop itself cannot be told."""

    def is_kept_by(self, found: Finding) -> bool:
        """Whether a run came to that."""
        return (
            re.search(self.message, found.reason) is not None
            and (found.to_stop is None or found.to_stop <= self.to_stop)
            and (found.to_rest is None or found.to_rest <= self.to_rest)
            and found.is_log_whole
        )


def promises(folder: Path) -> list[Promise]:
    """Returns all faults, for an export's folder."""
    contract, limits = Contract.load(folder), SafetyLimits.load()
    return [
        *(
            Promise(fault.name, partial(run_fault, fault, contract, limits), fault.message, fault.to_stop)
            for fault in FAULTS
        ),
        Promise("policy's process killed", partial(run_killed_policy, contract, limits), ""),
        *(
            Promise(
                f"terminal: {fault.name}{', going home' if going_home else ''}",
                partial(run_at_terminal, fault, folder, going_home),
                fault.reason,
                to_rest=fault.to_rest,
            )
            for going_home in (False, True)
            for fault in TERMINAL_FAULTS
        ),
        Promise("terminal: tap", partial(run_tap, folder), ""),
        *(Promise(name, partial(run_refusal, name, folder, limits), message) for name, message in REFUSALS.items()),
    ]


def _run(folder: Path, name: str) -> Finding:
    """Returns what came of a fault; that of a motion which never began is one as well, and a bad one."""
    (promise,) = (promise for promise in promises(folder) if promise.name == name)
    try:
        return promise.run()
    except RuntimeError as error:
        return Finding(name, f"it did not come to the fault: {' '.join(str(error).split())}", None, None, False)


def _most(findings: list[Finding], name: str) -> str:
    values = [value for found in findings if (value := getattr(found, name)) is not None]
    return f"{np.max(values):.2f}" if values else "-"


if __name__ == "__main__":
    with one_line_errors():
        sys.exit(main())
