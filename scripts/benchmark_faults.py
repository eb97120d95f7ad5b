# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Does everything that can go wrong to a simulated arm in motion, many times, and says how soon it stood.

Times are the policy's process's and those of a witness in the simulated controller; run it on an idle machine.

Example:
    ./isaaclab.sh -p scripts/benchmark_faults.py --policy exported/erase --repeat 20
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mereq_deploy.cli import USER_ERRORS
from mereq_deploy.contract import Contract
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.simulated.faults import FAULTS, Finding, run_fault, run_killed_policy

TO_STOP, TO_REST = 0.1, 0.3
"""What is promised [s]."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True, help="folder that export_policy.py made")
    parser.add_argument("--repeat", type=int, default=20, help="how often each (default: 20)")
    args = parser.parse_args()
    console = Console()
    try:
        contract, limits = Contract.load(args.policy), SafetyLimits.load()
    except USER_ERRORS as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        return 2
    table = Table("fault", "as it should", "to the stop, most [s]", "then to rest, most [s]")
    num_failed = 0
    messages = {fault.name: fault.message for fault in FAULTS}
    for name in [*messages, "policy's process killed"]:
        with console.status(name):
            findings = [
                run_killed_policy(contract, limits)
                if name not in messages
                else run_fault(next(fault for fault in FAULTS if fault.name == name), contract, limits)
                for _ in range(args.repeat)
            ]
        good = sum(_is_good(found, messages.get(name, "")) for found in findings)
        num_failed += len(findings) - good
        table.add_row(name, f"{good} of {len(findings)}", *(_most(findings, of) for of in ("to_stop", "to_rest")))
    console.print(table)
    return 1 if num_failed else 0


def _is_good(found: Finding, message: str) -> bool:
    return (
        re.search(message, found.reason) is not None
        and (found.to_stop is None or found.to_stop <= TO_STOP)
        and (found.to_rest is None or found.to_rest <= TO_REST)
        and found.is_log_whole
    )


def _most(findings: list[Finding], name: str) -> str:
    values = [value for found in findings if (value := getattr(found, name)) is not None]
    return f"{np.max(values):.2f}" if values else "-"


if __name__ == "__main__":
    sys.exit(main())
