# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What `isaaclab.sh` promises, on a copy of it with a small lock whose wheels are made here, so without a network."""

import re
from pathlib import Path

import pytest

from .checkout import Checkout, make_checkout
from .wheels import ECHO, repack_wheel, write_wheel


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of wheels and the lock that pins them."""
    folder = tmp_path_factory.mktemp("wheels")
    lock = "".join(
        [
            "# A lock.\n",
            write_wheel(
                folder, "isaaclab", "3.0.0", {"isaaclab/__init__.py": b"", "isaaclab/__main__.py": ECHO.encode()}
            ),
            write_wheel(folder, "pytest", "9.0.0", {"pytest/__init__.py": b"", "pytest/__main__.py": ECHO.encode()}),
            repack_wheel(folder, "setuptools"),
            repack_wheel(folder, "uv"),
        ]
    )
    return folder, lock


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PATH with this machine's tools but no Python, no uv and no pyenv of the account's home folder."""
    folder = tmp_path_factory.mktemp("tools")
    for source in ("/usr/bin", "/bin"):
        for tool in Path(source).iterdir():
            if not re.match(r"python|pypy|uv|getent", tool.name) and not (folder / tool.name).is_symlink():
                (folder / tool.name).symlink_to(tool)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, tools: Path, wheels: tuple[Path, str]) -> Checkout:
    """A checkout in which nothing has been set up."""
    return make_checkout(tmp_path, tools, wheels)


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory, tools: Path, wheels: tuple[Path, str]) -> Checkout:
    """A checkout that has been set up; tests that change it work on a copy."""
    checkout = make_checkout(tmp_path_factory.mktemp("ready"), tools, wheels)
    done = checkout.works()
    for step in ("1/4", "2/4", "3/4 installing the 4 packages", "4/4", "ready after"):
        assert step in done.stderr
    return checkout
