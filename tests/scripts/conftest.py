# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A run of the main job that tests share: tiny, but every part of it is the real one."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

TINY = ["agent.max_rounds=2", "agent.inner.max_steps=20", "agent.inner.min_steps=10", "agent.evaluation_episodes=4"]
TINY += ["agent.num_supervised=4", "agent.sac.learning_starts=64", "env.episode_length_s=1.5"]
OPTIONS = ["--num_envs", "12", "--seed", "1"]


def command(script: str, *arguments: str, task: str | None = "Franka-Erase") -> list[str]:
    """The command line of a script."""
    options = ["--task", task] if task else []
    return [sys.executable, str(REPOSITORY / "scripts" / script), *options, *arguments]


def run_script(
    script: str, *arguments: str, task: str | None = "Franka-Erase", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs a script to its end."""
    return subprocess.run(
        command(script, *arguments, task=task),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    """A run as a user would start it, video and report included."""
    logs = tmp_path_factory.mktemp("logs")
    result = run_script("train_mereq.py", *OPTIONS, "--logs", str(logs), *TINY)
    assert result.returncode == 0, result.stderr
    (folder,) = (logs / "Franka-Erase").iterdir()
    return folder


def one_line(output: str, errors: str) -> str:
    """The one line that a script refused with."""
    (line,) = (line for line in errors.splitlines() if line.startswith("error: "))
    assert "Traceback" not in output + errors
    return line


@pytest.fixture
def refusal(monkeypatch, capsys) -> Callable[..., str]:
    """Runs a script that must refuse before it opens a simulator, in this process, and returns its one line."""

    def run(script: str, *arguments: str | Path) -> str:
        path = REPOSITORY / "scripts" / script
        monkeypatch.syspath_prepend(path.parent)
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_info:
            runpy.run_path(str(path), run_name="__main__")
        assert exit_info.value.code == 2
        return one_line(*capsys.readouterr())

    return run
