# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Checkouts in folders with odd names, and a `.venv` that cannot be set up, for a reason that is named."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .checkout import Checkout, make_checkout

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("name", ["-a [b]*?", 'it\'s "q" $HOME %20 #x; y=z, ~@!\\n&|<>()', "[!a] \x1b[31m ü "])
def test_the_name_of_the_folder_does_not_matter(tmp_path: Path, tools: Path, wheels: tuple[Path, str], name: str):
    checkout = make_checkout(tmp_path, tools, wheels, name)
    cached = checkout.root / ".venv" / ".download-cache" / "kept"
    cached.parent.mkdir(parents=True)
    cached.touch()
    lock = checkout.root / "requirements.lock"
    lock.write_text(lock.read_text().replace("sha256:", "sha256:0"))
    error = checkout.fails("-i")
    assert "installing uv failed" in error and "\x1b" not in error
    assert cached.exists(), "what was downloaded is kept"

    lock.write_text(wheels[1])
    done = checkout.works()
    assert "ready after" in done.stderr and "\x1b" not in done.stderr
    assert not (checkout.root / ".venv" / ".download-cache").exists()
    where = checkout.run("-p", "-c", "import small_package; print(ascii(small_package.__file__))")
    assert where.stdout.strip() == ascii(str(checkout.root / "source" / "small_package" / "small_package/__init__.py"))
    assert where.stderr == ""
    left = {path.name for path in checkout.root.iterdir()}
    assert left == {"isaaclab.sh", "requirements.lock", "source", ".venv", ".venv.lock", ".venv.log"}


@pytest.mark.parametrize("name", ["a:b", "a\nb", "{a}"])
def test_a_name_with_which_there_is_no_environment_is_refused(tmp_path, tools, wheels, name: str):
    checkout = make_checkout(tmp_path, tools, wheels, name)
    assert "a colon, a brace or a newline in it" in checkout.fails("-i")
    assert not (checkout.root / ".venv").exists()


def test_a_link_that_leads_nowhere_is_named(checkout: Checkout, tmp_path: Path):
    (checkout.root / ".venv").symlink_to(tmp_path / "gone")
    error = checkout.fails("-i")
    assert f"{checkout.root}/.venv is a link to {tmp_path}/gone, which is not there" in error
    (tmp_path / "gone").mkdir()
    checkout.works()


@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_in_its_place_is_named(checkout: Checkout, tmp_path: Path, is_link: bool):
    venv = checkout.root / ".venv"
    (tmp_path / "file").write_text("mine")
    venv.symlink_to(tmp_path / "file") if is_link else shutil.copy(tmp_path / "file", venv)
    assert f"{venv} is no folder" in checkout.fails("-i")
    assert venv.read_text() == "mine"


@pytest.fixture
def of_another_user(tools: Path, wheels: tuple[Path, str]) -> Iterator[Checkout]:
    """A checkout that others may write to, and what is done in it is done by somebody else than its owner."""
    if os.geteuid() != 0:
        pytest.skip("only root can be two users")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    made = make_checkout(folder, tools, wheels)
    made.root.chmod(0o777)
    yield Checkout(made.root, {"PATH": "/usr/bin:/bin"})
    shutil.rmtree(folder)


NOBODY = {"user": 65534, "group": 65534}


@pytest.mark.parametrize(("place", "mode"), [(".venv", 0o755), (".venv", 0o700), (".venv/bin", 0o755)])
def test_what_belongs_to_another_user_is_named(of_another_user: Checkout, place: str, mode: int):
    folder = of_another_user.root / place
    folder.mkdir(parents=True)
    of_another_user.root.joinpath(".venv").chmod(0o777)
    folder.chmod(mode)
    error = of_another_user.fails("-i", **NOBODY)
    assert f"cannot write to {folder}, but .venv has to be set up" in error
    assert f"belongs to root, mode {mode:o}" in error and "you are nobody" in error
    assert stat.S_IMODE(folder.stat().st_mode) == mode and not any(folder.iterdir())


@pytest.mark.parametrize("name", [".venv.lock", ".venv.log"])
def test_a_leftover_of_another_user_is_named(of_another_user: Checkout, name: str):
    (of_another_user.root / name).touch(0o644)
    assert f"cannot write to {of_another_user.root / name}" in of_another_user.fails("-i", **NOBODY)
