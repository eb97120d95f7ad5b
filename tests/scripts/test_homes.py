# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Homes that cannot be written: one line says so before the simulator starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mereq_tasks import caches

from .conftest import REPOSITORY, command

SCRIPTS = {
    "benchmark.py": ("--tasks", "Franka-Erase"),
    "tools/benchmark_live.py": ("--task", "Franka-Erase"),
    "tools/benchmark_speed.py": (),
    "compare.py": ("--task", "Franka-Erase", "--policies", "prior"),
    "export_policy.py": ("--task", "Franka-Erase", "--run", "prior", "--output", "/dev/null/x"),
    "play.py": ("--task", "Franka-Erase", "--policy", "prior"),
    "tools/probe_person.py": ("--task", "Franka-Erase"),
    "tools/probe_physics.py": ("--task", "Franka-Erase"),
    "report.py": ("/nowhere",),
    "supervise.py": ("--task", "Franka-Erase"),
    "train_mereq.py": ("--task", "Franka-Erase"),
    "train_policy.py": ("--task", "Franka-Erase", "--reward", "prior", "--output", "/dev/null/x"),
}
"""Scripts that keep something for later starts, with what they need to get that far."""

WITHOUT_CACHES = {
    "tools/benchmark_faults.py": ("--policy", "/nowhere"),
    "tools/benchmark_streaming.py": ("--policy", "/nowhere"),  # with a policy: in mereq_deploy/test_streaming.py
    "tools/benchmark_transfer.py": ("--policies", "/nowhere"),
    "deploy.py": ("--policy", "/nowhere", "--robot", "simulated"),
    "recordings.py": ("list", "/nowhere"),
    "tools/summarize.py": ("/nowhere",),
}
"""Scripts that need no home: another thing is wrong with the command line, and the one line says that."""


def line_of(script: str, arguments: tuple[str, ...], *unset: str, **environment: str) -> str:
    """Runs a script, and returns the line with which it gives up."""
    kept = {name: value for name, value in os.environ.items() if name not in (*unset, "MPLCONFIGDIR")}
    result = subprocess.run(
        command(script, *arguments, task=None),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**kept, **environment},
    )
    assert result.returncode == 2 and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def test_these_are_all_scripts():
    folder = REPOSITORY / "scripts"
    files = {str(file.relative_to(folder)) for file in (*folder.glob("*.py"), *folder.glob("tools/*.py"))}
    assert files == SCRIPTS.keys() | WITHOUT_CACHES.keys()


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_says_so(tmp_path: Path, script: str):
    (tmp_path / "file").touch()
    line = line_of(script, SCRIPTS[script], "XDG_CACHE_HOME", HOME=str(tmp_path / "file"))
    assert f"cannot write to {tmp_path}/file/.cache/warp" in line
    assert "Not a directory" in line and "set XDG_CACHE_HOME to a folder that can be written" in line


@pytest.mark.parametrize("script", WITHOUT_CACHES)
def test_a_script_that_keeps_nothing_needs_no_home(tmp_path: Path, script: str):
    (tmp_path / "file").touch()
    assert "/nowhere" in line_of(script, WITHOUT_CACHES[script], "XDG_CACHE_HOME", HOME=str(tmp_path / "file"))


@pytest.mark.parametrize("script", ["report.py", "benchmark.py"])
def test_caches_elsewhere_are_enough(tmp_path: Path, script: str):
    """Matplotlib writes where the message says, and nothing below a home that cannot be written."""
    (tmp_path / "home").mkdir()
    (tmp_path / "file").touch()
    wrong = {"report.py": ("/nowhere",), "benchmark.py": ("--tasks", "Franka-Erase", "--methods", "none")}
    for home in ("home", "file"):
        line = line_of(script, wrong[script], HOME=str(tmp_path / home), XDG_CACHE_HOME=str(tmp_path / "caches"))
        assert "/nowhere" in line or "none" in line
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("package", ["mereq_deploy.policy", "mereq_lab.export"])
def test_onnx_runtime_reports_nothing_and_writes_nothing(tmp_path: Path, package: str):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_", "MPL"))}
    code = f"import {package}, onnxruntime, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    for setting, expected in (({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")):
        home = tmp_path / expected
        home.mkdir()
        result = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            env={**kept, "HOME": str(home), **setting},
        )
        assert (result.stdout, result.stderr) == (f"{expected}\n", "")
        if expected == "1":
            assert list(home.rglob("*onnx*")) == []


def test_matplotlib_keeps_its_fonts_among_the_caches_but_where_a_user_says(tmp_path: Path):
    code = "import mereq_lab.program, matplotlib; print(matplotlib.get_configdir(), matplotlib.get_cachedir())"
    for environment, expected in (
        ({"XDG_CACHE_HOME": str(tmp_path / "caches")}, tmp_path / "caches" / "matplotlib"),
        ({"MPLCONFIGDIR": str(tmp_path / "own")}, tmp_path / "own"),
        ({}, tmp_path / "home" / ".cache" / "matplotlib"),
    ):
        kept = {name: value for name, value in os.environ.items() if name not in ("MPLCONFIGDIR", "XDG_CACHE_HOME")}
        result = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            env={**kept, "HOME": str(tmp_path / "home"), **environment},
            cwd=REPOSITORY / "scripts",
        )
        assert (result.stdout.split(), result.stderr) == ([str(expected)] * 2, "")
    assert not (tmp_path / "home" / ".config").exists()


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("XDG_CACHE_HOME", "/proc/no", "set XDG_CACHE_HOME"),
        ("WARP_CACHE_PATH", "/proc/no", "set WARP_CACHE_PATH"),
        ("MEREQ_CACHE", "/dev/null", "set MEREQ_CACHE"),
        ("HOME", "/proc/self/no", "cannot write to /proc/self/no/.cache/warp"),
    ],
)
def test_what_to_set_is_named(setting: str, value: str, words: str):
    unset = ("XDG_CACHE_HOME", "WARP_CACHE_PATH", "MEREQ_CACHE")
    assert words in line_of("play.py", SCRIPTS["play.py"], *unset, **{setting: value})


def test_a_user_without_a_home():
    """As in a container: an account that is in no list, with a home that is nowhere."""
    python = shutil.which("python3", path="/usr/bin:/bin")
    if os.geteuid() != 0 or python is None:
        pytest.skip("only root can be another user, who needs a Python")
    code = Path(caches.__file__).read_text()
    code += "\ntry: check_caches()\nexcept CacheError as error: print(error)"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        for environment, words in (
            ({}, "this account has no home"),
            ({"HOME": "/"}, "cannot write to /.cache/warp"),
            ({"XDG_CACHE_HOME": "/nowhere"}, "cannot write to /nowhere/warp"),
            ({"XDG_CACHE_HOME": f"{folder}/new"}, ""),
        ):
            result = subprocess.run(
                [python, "-c", code],
                capture_output=True,
                text=True,
                check=False,
                user=54321,
                group=54321,
                env={"PATH": "/usr/bin:/bin", **environment},
                cwd="/",
            )
            assert result.stderr == "" and result.stdout.count("\n") == bool(words), (environment, result)
            assert words in result.stdout
