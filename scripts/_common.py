# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the scripts share: the command line, where policies are, and errors as one line.

Only what the command line needs is imported here; learning and the simulator take seconds to import.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import os
import platform
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mereq_algo.plain_console import PlainConsole
from mereq_tasks.arguments import TaskUsageError
from mereq_tasks.caches import keep_matplotlib_in_caches
from strict_options.fewer_collections import collect_seldom
from strict_options.venv_users import hold_venv

REPOSITORY = Path(__file__).resolve().parents[1]

hold_venv()  # scripts start each other
collect_seldom()
keep_matplotlib_in_caches()


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns what a user can get wrong into one line and exit status 2, Ctrl-C into 130, and a request to end into 143.

    The latter ends a program at once unless it is told otherwise, and half a file would stay.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that this terminal has no letters for
    try:
        yield
    except ValueError as error:
        if not isinstance(error, _user_errors()):
            raise
        _tell(f"error: {error}", "red")
        sys.exit(2)
    except OSError as error:
        from mereq_algo.whole_file import CAUSES, DISK_ERRORS

        if error.errno not in DISK_ERRORS:
            raise
        place = f": {error.filename}" if error.filename else ""
        _tell(f"error: {CAUSES[error.errno]}{place}", "red")
        sys.exit(2)
    except KeyboardInterrupt:
        _tell("interrupted", "yellow")
        sys.exit(130)


@contextlib.contextmanager
def told_in_one_line(what: str) -> Iterator[None]:
    """Tells of any error in one line and goes on: for what is done on the way out, where another error may be known."""
    try:
        yield
    except Exception as error:
        _tell(f"{what}: {type(error).__name__}: {error}", "red")


def warn(text: str) -> None:
    """Tells in one line what a user should know, on the error stream; what comes from outside in it is text alone."""
    _tell(f"note: {text}", "yellow")


def _tell(text: str, style: str) -> None:
    """Prints one line on the error stream."""
    PlainConsole(stderr=True, soft_wrap=True).print(" ".join(text.split()), style=style, highlight=False)


USER_ERRORS = {
    "mereq_algo.benchmark": ("JobError",),
    "mereq_algo.export": ("ExportError",),
    "mereq_algo.film": ("FilmError",),
    "mereq_algo.live": ("LinkError", "PortError"),
    "mereq_algo.networks": ("CheckpointError", "NotFiniteError"),
    "mereq_algo.recording": ("RecordingError",),
    "mereq_algo.runner": ("BrokenPhysicsError", "ConfigError", "RunFolderError", "RunInUseError", "TaskError"),
    "mereq_algo.whole_file": ("WriteError",),
}
"""What a user can get wrong, by the package that says so."""


def _user_errors() -> tuple[type[ValueError], ...]:
    """Returns what a user can get wrong, of the packages that the script has come to use."""
    errors = [
        getattr(sys.modules[package], name)
        for package, names in USER_ERRORS.items()
        if package in sys.modules
        for name in names
    ]
    if "mereq_deploy" in sys.modules:
        import mereq_deploy.cli

        errors += mereq_deploy.cli.USER_ERRORS
    return (TaskUsageError, *errors)


def check_writable(what: str, path: Path) -> None:
    """Refuses a place where nothing can be written, before hours of work end there.

    Args:
        what: What goes there, for the message.
        path: A file or folder that need not exist yet.

    Raises:
        TaskUsageError: A folder on the way is no folder or may not be written.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    for place, is_wrong, reason in (
        (folder, not folder.is_dir(), "is not a folder"),
        (folder, not os.access(folder, os.W_OK | os.X_OK), "is not writable"),
        (path, path.exists() and not os.access(path, os.W_OK), "is not writable"),
    ):
        if is_wrong:
            raise TaskUsageError(f"{what} cannot be written: {path} ({place} {reason})")


def script_command(name: str) -> list[str]:
    """Returns the start of the command line of a script, to be run by another one."""
    return [sys.executable, *(f"-W{option}" for option in sys.warnoptions), str(REPOSITORY / "scripts" / name)]


def command_line() -> str:
    """Returns what the user typed, or another script for them: it says nothing of where this repository lies."""
    script = Path(sys.argv[0]).resolve()
    shown = script.relative_to(REPOSITORY) if script.is_relative_to(REPOSITORY) else script
    return "./isaaclab.sh -p " + shlex.join([str(shown), *sys.argv[1:]])


def versions() -> dict[str, str]:
    """Returns the versions that a figure depends on."""
    packages = ("isaaclab", "newton", "warp-lang", "mujoco-warp", "torch", "rsl-rl-lib", "mereq-tasks", "mereq-algo")
    found = {package: importlib.metadata.version(package) for package in packages}
    return {**_revision(), "python": platform.python_version(), **found}


def _revision() -> dict[str, str]:
    """Returns the commit of this repository, marked where files differ from it; nothing where it is no clone."""
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return {}
    return {"revision": done.stdout.strip()} if done.returncode == 0 else {}


def hardware() -> dict[str, str]:
    """Returns what a wall time depends on."""
    import psutil
    import torch

    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cpu = names[0] if names else platform.processor() or platform.machine()
    found = {"processor": f"{cpu}, {len(os.sched_getaffinity(0))} cores"}
    found["memory"] = f"{psutil.virtual_memory().total / 2**30:.0f} GiB"
    if torch.cuda.is_available():
        found["GPU"] = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return found
