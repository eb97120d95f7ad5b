# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The runtime on the small machine beside the arm: it installs alone, and knows nothing of simulator or trainer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

MOST = 300e6
"""Bytes that it may take, with all that it needs."""


@pytest.mark.timeout(300)
def test_it_installs_alone_in_under_300_mb_and_starts(tmp_path):
    package = REPOSITORY / "source" / "mereq_deploy"
    # With pip, as on that machine; it works on a copy, for it leaves files where it builds.
    copy = shutil.copytree(package, tmp_path / "source", ignore=shutil.ignore_patterns("*.egg-info", "build"))
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target), str(copy)]
    subprocess.run(install, check=True, timeout=280)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file() and not file.is_symlink())
    assert size < MOST, f"{size / 1e6:.0f} MB"

    # Without this environment's packages.
    code = "import mereq_deploy.cli, sys; print(mereq_deploy.cli.__file__, *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(target)},
    )
    where, *modules = done.stdout.split()
    assert Path(where).is_relative_to(target)
    assert {"torch", "isaaclab", "mereq_algo", "mereq_tasks", "warp", "mujoco"}.isdisjoint(modules)
