# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Homes that cannot be written: one line says so before the simulator starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from mereq_tasks import caches

from .conftest import command

SCRIPTS = {
    "train_mereq.py": (),
    "play.py": ("--policy", "prior"),
    "supervise.py": (),
    "train_policy.py": ("--reward", "prior", "--output", "/dev/null/x"),
    "compare.py": ("--policies", "prior"),
}


def line_of(script: str, *unset: str, **environment: str) -> str:
    """Runs a script, and returns the line with which it gives up."""
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    result = subprocess.run(
        command(script, *SCRIPTS[script]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**kept, **environment},
    )
    assert result.returncode == 2 and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_says_so(tmp_path: Path, script: str):
    (tmp_path / "file").touch()
    line = line_of(script, "XDG_CACHE_HOME", HOME=str(tmp_path / "file"))
    assert f"cannot write to {tmp_path}/file/.cache/warp" in line
    assert "Not a directory" in line and "set XDG_CACHE_HOME to a folder that can be written" in line


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
    assert words in line_of("play.py", *unset, **{setting: value})


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
