# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Live supervision beside a run that learns: a process of its own, see ``supervise.py``."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..provenance import script_command

if TYPE_CHECKING:
    from mereq_algo.records import RunFolder

    from ..live import LiveProcess


@contextlib.contextmanager
def start_supervision(args: argparse.Namespace, settings: list[str], lock: int) -> Iterator[LiveProcess]:
    """Starts the process in which people watch, and ends it.

    Args:
        args: The command line.
        settings: The settings of the run.
        lock: Descriptor of the run folder's lock. The process writes there too, also after this one was killed.
    """
    from ..live import LiveProcess, problem_of

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
