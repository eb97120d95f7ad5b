# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the scripts share: where policies are, and errors as one line."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from mereq_algo.networks import CheckpointError, load_checkpoint
from mereq_algo.runner import ConfigError, RunFolder, RunFolderError, TaskError, TaskSpec, TrainedPolicy
from mereq_tasks.launch import TaskUsageError, check_name

REPOSITORY = Path(__file__).resolve().parents[1]
POLICIES = REPOSITORY / "assets" / "policies"
USER_ERRORS = (CheckpointError, ConfigError, RunFolderError, TaskError, TaskUsageError)


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns what a user can get wrong into one line and exit status 2, and Ctrl-C into 130."""
    try:
        yield
    except USER_ERRORS as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted", style="yellow")
        sys.exit(130)


def policy_file(task: str, policy: str) -> Path:
    """Returns the file of a policy: ``prior``, ``expert``, a run folder or a file."""
    if policy in ("prior", "expert"):
        return POLICIES / task / f"{policy}.safetensors"
    path = Path(policy)
    if path.is_dir():
        return RunFolder.open(path, task).policy_file
    if not path.exists():
        check_name("policy", policy, ["prior", "expert", "<run folder>", "<file.safetensors>"])
    return path


def load_policy(file: Path, spec: TaskSpec, num_obs: int, num_actions: int, device: str) -> TrainedPolicy:
    """Loads a policy and checks that it fits the task."""
    policy, critic, info = load_checkpoint(file, device, num_obs, num_actions, list(spec.feature_names))
    if info.task != spec.task:
        raise CheckpointError(f"policy file is of task {info.task}, not {spec.task}: {file}")
    return TrainedPolicy(policy, critic, info)


def command_line() -> str:
    """Returns what the user typed."""
    return "./isaaclab.sh -p " + shlex.join(sys.argv)


def versions() -> dict[str, str]:
    """Returns the versions that a figure depends on."""
    packages = ("isaaclab", "newton", "warp-lang", "mujoco-warp", "torch", "rsl-rl-lib", "mereq-tasks", "mereq-algo")
    found = {package: importlib.metadata.version(package) for package in packages}
    return {"python": platform.python_version(), **found}
