# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where a figure comes from: command line, versions, machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
"""The checkout: the packages are installed in editable mode."""


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
