# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""LeRobot and robomimic in an environment of their own: they need another numpy than Isaac Lab."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mereq-lab"


@pytest.fixture(scope="session")
def trainers() -> Path:
    """The folder of the environment's programs. Made once, it takes minutes and 2 GB; torch is that of .venv."""
    name = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.prefix.encode()).hexdigest()[:12]
    venv = CACHE / f"trainers-{name}"
    if not (venv / "complete").exists():
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        # Its own packages come first.
        site = Path(sysconfig.get_path("purelib", vars={"base": str(venv)}))
        (site / "torch_of_the_lab.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Dependencies are all listed: torch's would be 3 GB, and robomimic's want a compiler.
        subprocess.run([*install, "--ignore-installed", "--no-deps", "-r", str(REQUIREMENTS)], check=True)
        (venv / "complete").touch()
    return venv / "bin"
