# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a start does with a checkout that has changed since it was set up."""

import shutil
from pathlib import Path

import pytest

from .checkout import Checkout
from .wheels import write_wheel

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def moved(tmp_path: Path, ready: Checkout) -> Checkout:
    """A set-up checkout that was moved to another folder."""
    root = tmp_path / "elsewhere"
    shutil.copytree(ready.root, root, symlinks=True)
    return Checkout(root, ready.env)


def test_a_moved_checkout_is_updated_and_imports_its_own_packages(moved: Checkout):
    done = moved.run("-p", "-c", "import small_package; print(small_package.__file__)")
    assert "updating .venv" in done.stderr
    assert "1/4" not in done.stderr
    assert done.stdout.strip() == str(moved.root / "source" / "small_package" / "small_package" / "__init__.py")


def test_a_changed_lock_is_installed(moved: Checkout, wheels: tuple[Path, str], tmp_path: Path):
    more = write_wheel(tmp_path, "newcomer", "1.0", {"newcomer.py": b""})
    (moved.root / "requirements.lock").write_text(wheels[1] + more)
    find_links = f"{wheels[0]} {tmp_path}"
    done = moved.run("-p", "-c", "import newcomer; print('there')", env={**moved.env, "PIP_FIND_LINKS": find_links})
    assert done.stdout == "there\n"


def test_an_environment_that_lost_packages_is_made_anew(moved: Checkout):
    shutil.rmtree(next((moved.root / ".venv").glob("lib/python3.12/site-packages/pytest-*.dist-info")))
    assert ".venv is not complete: making it anew" in moved.works().stderr
