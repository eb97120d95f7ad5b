# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where the strict simulated arm's packages are kept, and where they cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"HOME": "{file}"}, "cannot write to {file}/.cache/mereq_deploy"),
        ({"XDG_CACHE_HOME": "{file}"}, "cannot write to {file}/mereq_deploy"),
        ({"XDG_CACHE_HOME": "/proc/no"}, "cannot write to /proc/no/mereq_deploy"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_in_one_line(arm_export: Path, tmp_path, environment, words):
    (tmp_path / "file").touch()
    kept = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}
    result = subprocess.run(
        [sys.executable, str(REPOSITORY / "scripts" / "tools" / "benchmark_streaming.py"), "--policy", str(arm_export)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**kept, **{name: value.format(file=tmp_path / "file") for name, value in environment.items()}},
    )
    assert result.returncode == 2 and result.stdout == "" and result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("error: " + words.format(file=tmp_path / "file"))
    assert "set XDG_CACHE_HOME to a folder that can be written" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_user_without_a_home_is_told_in_one_line():
    """As in a container: an account that is in no list. It is another user only after the packages are imported."""
    code = "import os; from mereq_deploy.simulated import process; os.setgid(54321); os.setuid(54321)\n"
    code += "try: process.strict_robot().__enter__()\nexcept process.ArmError as error: print(error)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, env={}, cwd="/"
    )
    assert (result.stderr, result.stdout.count("\n")) == ("", 1)
    assert "this account has no home" in result.stdout and "set XDG_CACHE_HOME" in result.stdout
