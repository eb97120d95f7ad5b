# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Live supervision beside a run that learns: a process of its own, see ``supervise.py``."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

from _common import script_command
from mereq_tasks.arguments import TaskUsageError

if TYPE_CHECKING:
    from mereq_algo.live import LiveProcess
    from mereq_algo.runner import RunFolder


def add_live_args(parser: argparse.ArgumentParser) -> None:
    """Adds what a script asks of live supervision."""
    parser.add_argument("--num_supervised", type=int, default=1, help="robots shown, each for one person (default: 1)")
    parser.add_argument("--host", help="address of the page (default: this machine alone)")
    parser.add_argument("--port", type=int, help="its port (default: 8080; 0 for any)")


def check_live_args(args: argparse.Namespace) -> None:
    """Refuses what cannot be.

    Raises:
        TaskUsageError: There is no such port, or no robot.
    """
    if args.num_supervised < 1:
        raise TaskUsageError(f"num_supervised is {args.num_supervised}; at least 1 robot is needed")
    if args.port is not None and not 0 <= args.port < 2**16:
        raise TaskUsageError(f"port is {args.port}; it must be between 0 and {2**16 - 1}")


def fill_in_address(args: argparse.Namespace) -> None:
    """Takes the usual address, of this machine alone, where nobody named another: neither now nor before a resume."""
    args.host = "127.0.0.1" if args.host is None else args.host
    args.port = 8080 if args.port is None else args.port


@contextlib.contextmanager
def start_supervision(args: argparse.Namespace, settings: list[str], lock: int) -> Iterator[LiveProcess]:
    """Starts the process in which people watch, and ends it.

    Args:
        args: The command line.
        settings: The settings of the run.
        lock: Descriptor of the run folder's lock. The process writes there too, also after this one was killed.
    """
    from mereq_algo.live import LiveProcess, problem_of

    command = [
        *script_command("supervise.py"),
        "--task",
        args.task,
        "--seed",
        str(args.seed),
        "--num_supervised",
        str(args.num_supervised),
    ]
    command += ["--skip-damaged"] if args.skip_damaged else []
    command += ["--host", args.host, "--port", str(args.port), "--hands", args.person]
    process = LiveProcess([*command, *(setting for setting in settings if not setting.startswith("agent."))], [lock])
    try:
        yield process
    except Exception as error:
        process.tell(problem_of(error))
        raise
    finally:
        process.close()


def export_run(folder: RunFolder) -> bool:
    """Exports the aligned policy of a run to a folder in it.

    Returns:
        Whether it is exported. If not, ``export_policy.py`` has said why.
    """
    command = [*script_command("export_policy.py"), "--run", str(folder.path)]
    return subprocess.run([*command, "--output", str(folder.path / "export")], check=False).returncode == 0
