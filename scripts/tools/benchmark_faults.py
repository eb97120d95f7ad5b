# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Does everything that can go wrong to a simulated arm in motion, many times, and says how soon it stood.

Times are the policy's process's and those of a witness in the simulated controller; run it on an idle machine. Where
the machine is too busy for the guard, the arm stops before the fault can stop it: such a run is counted apart and
repeated.

Examples:
    ./isaaclab.sh -p scripts/tools/benchmark_faults.py --policy exported/erase --repeat 20
    ./isaaclab.sh -p scripts/tools/benchmark_faults.py --policy exported/erase --json faults.json --resume
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from mereq_deploy.contract import Contract
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.simulated.fault_runs import REFUSALS, Finding, run_fault, run_killed_policy, run_refusal
from mereq_deploy.simulated.faults import FAULTS
from mereq_deploy.simulated.terminal_runs import TERMINAL_FAULTS, run_at_terminal, run_tap
from mereq_lab.plain_console import PlainConsole
from mereq_lab.program import one_line_errors

TO_REST = 0.3
"""What is promised from the stop to rest [s]; each fault has its own time to the stop."""


BUSY = re.compile("the machine is too busy|the guard hung")
"""What the program says where the load of the machine stopped the arm."""

PASSES = 10
"""How often runs that the load has stopped are done again."""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True, help="folder that export_policy.py made")
    parser.add_argument("--repeat", type=int, default=20, help="how often each (default: 20)")
    parser.add_argument(
        "--jobs", type=int, default=1, help="how many at a time, each of which needs a core (default: 1)"
    )
    parser.add_argument("--only", default="", metavar="REGEX", help="only faults whose name this matches")
    parser.add_argument("--json", type=Path, help="also write every finding to this file, and a table beside it (.md)")
    parser.add_argument("--resume", action="store_true", help="keep the findings in that file, and do what is missing")
    return parser


def main() -> int:
    parser = make_parser()
    args = parser.parse_args()
    if args.jobs < 1 or args.repeat < 1:
        parser.error("--jobs and --repeat must be at least 1")
    if args.resume and (args.json is None or not args.json.is_file()):
        parser.error("--resume needs --json and the file of an earlier run")
    wanted = {promise.name: promise for promise in promises(args.policy) if re.search(args.only, promise.name)}
    kept = json.loads(args.json.read_text(encoding="utf-8")) if args.resume else []
    findings = {name: [found for row in kept if (found := Finding(**_known(row))).name == name] for name in wanted}
    console = PlainConsole()
    # Each in the main thread of a process, which is the one that Ctrl-C reaches.
    pool = ProcessPoolExecutor(args.jobs, multiprocessing.get_context("spawn"), _hear_ctrl_c)
    try:
        for _ in range(PASSES):
            missing = {name: args.repeat - len(decided(wanted[name], findings[name])) for name in wanted}
            if max(missing.values()) <= 0:
                break
            for name, found in run_missing(pool, args.policy, missing, console):
                findings[name] += found
                report(wanted[name], found, console)
                if args.json is not None:  # as it goes: all of them take hours
                    others = [row for row in kept if row["name"] not in wanted]
                    write(args.json, others, wanted, findings)
    finally:
        pool.shutdown(cancel_futures=True)  # those that wait as well: all of them take hours
    rows, table = rows_of(wanted, findings), Table(*COLUMNS)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if args.json is not None:
        args.json.with_suffix(".md").write_text(as_markdown(rows), encoding="utf-8")
    is_whole = all(len(decided(wanted[name], findings[name])) >= args.repeat for name in wanted)
    is_good = all(
        promise.is_kept_by(found) for promise in wanted.values() for found in decided(promise, findings[promise.name])
    )
    return 0 if is_whole and is_good else 1


def run_missing(
    pool: ProcessPoolExecutor, policy: Path, missing: dict[str, int], console: PlainConsole
) -> Iterator[tuple[str, list[Finding]]]:
    """Runs what is missing of each fault, and yields name and findings of one fault after the other."""
    begun = {name: [pool.submit(_run, policy, name) for _ in range(count)] for name, count in missing.items()}
    for name, futures in begun.items():
        with console.status(name):
            found = [future.result() for future in futures]
        yield name, found


def report(promise: Promise, findings: list[Finding], console: PlainConsole) -> None:
    """Prints the findings that are not as they should be."""
    for found in findings:
        if not promise.is_kept_by(found):
            console.print(f"{'stopped by the load: ' if promise.is_undecided_by(found) else ''}{found}")


def write(file: Path, others: list[Any], wanted: dict[str, Promise], findings: dict[str, list[Finding]]) -> None:
    """Writes all findings, and before them those of faults that were not asked for."""
    rows = [
        {**asdict(found), "as_it_should": promise.is_kept_by(found), "stopped_by_load": promise.is_undecided_by(found)}
        for name, promise in wanted.items()
        for found in findings[name]
    ]
    file.write_text(json.dumps([*others, *rows], indent=1) + "\n", encoding="utf-8")


def decided(promise: Promise, findings: list[Finding]) -> list[Finding]:
    """Returns the findings that tell whether a promise is kept: all but those of a machine that was too busy."""
    return [found for found in findings if not promise.is_undecided_by(found)]


COLUMNS = ("fault", "as it should", "stopped by the load", "to the stop, most [s]", "then to rest, most [s]")


def rows_of(wanted: dict[str, Promise], findings: dict[str, list[Finding]]) -> list[list[str]]:
    """Returns a row for each fault, under :data:`COLUMNS`."""
    rows = []
    for name, promise in wanted.items():
        found = decided(promise, findings[name])
        num_good = sum(promise.is_kept_by(each) for each in found)
        num_busy = len(findings[name]) - len(found)
        times = [_most(found, of) for of in ("to_stop", "to_rest")]
        rows.append([name, f"{num_good} of {len(found)}", str(num_busy) if num_busy else "", *times])
    return rows


def as_markdown(rows: list[list[str]]) -> str:
    """Returns the rows as a table of a page."""
    lines = [COLUMNS, ["---", *["---:"] * (len(COLUMNS) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Returns what a row of the file says of a finding."""
    return {field.name: row[field.name] for field in fields(Finding)}


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

    def is_undecided_by(self, found: Finding) -> bool:
        """Whether a run was stopped by the load of the machine, and so tells nothing of the fault."""
        return not self.is_kept_by(found) and BUSY.search(found.reason) is not None


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
