# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a start does with a checkout that has changed since it was set up."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
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


@pytest.fixture
def start(moved: Checkout) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts programs that say that they run, and do so until the test is over."""
    moved.works()
    programs: list[subprocess.Popen] = []

    def start(code: str) -> subprocess.Popen:
        script = moved.root / "two words.py"
        script.write_text(f"import sys, time\n{code}\nprint('runs', flush=True)\ntime.sleep(100)\n")
        programs.append(moved.start("-p", str(script)))
        assert programs[-1].stdout is not None and programs[-1].stdout.readline() == "runs\n"
        return programs[-1]

    yield start
    for program in programs:
        program.kill()
        program.communicate()


CHANGES = {
    "another lock": lambda root: (root / "requirements.lock").open("a").write("# changed\n"),
    "a package is gone": lambda root: shutil.rmtree(next(root.glob(".venv/lib/*/site-packages/pytest-*.dist-info"))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_packages_do_not_change_under_a_running_program(moved: Checkout, start, change: str):
    program = start("")
    assert moved.run("-p", "-c", "print('beside')").stdout == "beside\n", "nothing has to change for that"
    CHANGES[change](moved.root)
    before = sorted((moved.root / ".venv").rglob("*"))
    for arguments in (("-i",), ("-p", "-c", "pass")):
        error = moved.fails(*arguments)
        assert "programs run in it" in error and f"{program.pid} (" in error and error.count("two words.py") == 1
        assert error.count(" (") == 1, "of this one program"
    assert sorted((moved.root / ".venv").rglob("*")) == before

    program.send_signal(signal.SIGKILL)
    program.communicate()
    assert "ready after" in moved.works().stderr, "a program that was killed leaves no lock"


def test_a_program_that_took_the_place_of_another_is_seen(moved: Checkout, start):
    program = start("import os\nif len(sys.argv) == 1: os.execv(sys.executable, [sys.executable, *sys.argv, 'again'])")
    CHANGES["another lock"](moved.root)
    assert f"{program.pid} (" in moved.fails("-i")


HOLDS = "sys.path.insert(0, {strict!r})\nfrom venv_users import hold_venv\nhold_venv()\n"


def test_a_child_that_outlives_its_parent_is_seen(moved: Checkout, start):
    """Python closes the launcher's lock in the programs that it starts; scripts take one of their own."""
    strict = str(moved.root / "source" / "mereq_lab" / "mereq_lab" / "strict_options")
    (moved.root / "child.py").write_text(
        "import sys, time\n" + HOLDS.format(strict=strict) + "print('child', flush=True)\ntime.sleep(100)\n"
    )
    parent = start(
        "import subprocess\n"
        f"child = subprocess.Popen([sys.executable, {str(moved.root / 'child.py')!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        f"open({str(moved.root / 'pid')!r}, 'w').write(str(child.pid))"
    )
    child = int((moved.root / "pid").read_text())
    try:
        CHANGES["another lock"](moved.root)
        error = moved.fails("-i")
        assert f"{parent.pid} (" in error and f"{child} (" in error
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        error = moved.fails("-i")
        assert f"{child} (" in error and error.count(" (") == 1, "of this one program"
    finally:
        os.kill(child, signal.SIGKILL)
    wait_for(lambda: not list_fds(child))
    assert "ready after" in moved.works().stderr


def test_children_of_isaac_labs_commands_are_seen(moved: Checkout):
    """Python reads sitecustomize first, in each of them."""
    moved.works()
    strict = moved.root / "source" / "mereq_lab" / "mereq_lab" / "strict_options"
    program = subprocess.Popen(
        [str(moved.root / ".venv" / "bin" / "python"), "-c", "import time; print('runs', flush=True); time.sleep(100)"],
        env={**moved.env, "PYTHONPATH": str(strict)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout is not None and program.stdout.readline() == "runs\n"
        CHANGES["another lock"](moved.root)
        assert f"{program.pid} (" in moved.fails("-i")
    finally:
        program.kill()
        program.communicate()


def list_fds(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return []


def wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10.0
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
