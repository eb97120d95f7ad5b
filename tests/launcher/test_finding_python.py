# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Which Python 3.12 the launcher takes, and what it says where there is none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .checkout import BASE_PYTHON, Checkout

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def fake_python(tmp_path: Path) -> Callable[[Path], None]:
    """Writes a Python 3.12 that answers questions but cannot make an environment."""

    def write(path: Path, fails_at: str = "-m venv") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\ncase "$*" in *"{fails_at}"*) exit 1 ;; esac\nexec "{BASE_PYTHON}" "$@"\n')
        path.chmod(0o755)

    return write


def _skip_if_a_python_cannot_be_hidden() -> None:
    places = [Path("/usr/local/bin/python3.12"), *Path("/opt/pyenv").glob("versions/3.12*")]
    places += Path("/usr/local/pyenv").glob("versions/3.12*")
    if any(place.exists() for place in places):
        pytest.skip("this machine has a Python 3.12 where the launcher always looks")


def test_no_python_is_named_with_what_to_do(checkout: Checkout, tools: Path):
    _skip_if_a_python_cannot_be_hidden()
    error = checkout.fails("-p", "-c", "pass", env={**checkout.env, "PATH": str(tools)})
    assert "no Python 3.12 found" in error
    assert "uv python install 3.12" in error
    assert not (checkout.root / ".venv").exists()


def test_a_shim_that_does_not_run_is_passed_over_for_pyenvs_newest(checkout: Checkout, tmp_path: Path, fake_python):
    fake_python(tmp_path / "bin" / "python3.12", fails_at="")
    for version in ("3.12.9", "3.12.11", "3.13.0"):
        fake_python(tmp_path / "pyenv" / "versions" / version / "bin" / "python3.12")
    done = checkout.run("-i", env={**checkout.env, "PYENV_ROOT": str(tmp_path / "pyenv")})
    assert f"making .venv with {tmp_path}/pyenv/versions/3.12.11/bin/python3.12" in done.stderr


def test_uv_fetches_a_python_where_there_is_none(checkout: Checkout, tmp_path: Path, fake_python):
    _skip_if_a_python_cannot_be_hidden()
    fetched, uv = tmp_path / "fetched" / "python3.12", tmp_path / "bin" / "uv"
    fake_python(tmp_path / "python3.12")
    fetched.parent.mkdir()
    (tmp_path / "bin" / "python3.12").unlink()
    install = f'mv "{tmp_path}/python3.12" "{fetched}"'
    find = f'test -e "{fetched}" && echo "{fetched}"'
    uv.write_text(f'#!/bin/sh\ncase "$2" in install) {install} ;; find) {find} ;; esac\n')
    uv.chmod(0o755)
    done = checkout.run("-i")
    assert "fetching Python 3.12 with" in done.stderr
    assert f"making .venv with {fetched}" in done.stderr


def test_a_python_without_its_venv_module_is_named(checkout: Checkout, tmp_path: Path, fake_python):
    _skip_if_a_python_cannot_be_hidden()
    fake_python(tmp_path / "bin" / "python3.12", fails_at="import ensurepip")
    assert "apt install python3.12-venv" in checkout.fails("-i")
