# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A start of a checkout that is set up hands over at once, and passes on all that it was given."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .checkout import Checkout
from .wheels import ECHO

pytestmark = pytest.mark.timeout(180)


def test_later_starts_say_nothing_of_their_own(ready: Checkout):
    assert ready.works().stderr == ""


def test_later_starts_add_less_than_300_ms(ready: Checkout):
    def seconds(command: Callable[[], object]) -> float:
        start = time.perf_counter()
        command()
        return time.perf_counter() - start

    python = ready.root / ".venv" / "bin" / "python"
    through_launcher = min(seconds(lambda: ready.run("-p", "-c", "pass")) for _ in range(5))
    directly = min(seconds(lambda: subprocess.run([python, "-c", "pass"], check=True)) for _ in range(5))
    assert through_launcher - directly < 0.3


@pytest.mark.parametrize("args", [(), ("train", "--task", "two words", "*"), ("list_envs",), ("-i", "core"), ("-h",)])
def test_isaac_lab_gets_the_arguments_as_they_are(ready: Checkout, args: tuple[str, ...]):
    done = ready.run(*args)
    assert json.loads(done.stdout)["args"] == list(args)
    assert done.returncode == 0


def test_python_gets_arguments_folder_and_exit_code(ready: Checkout, tmp_path: Path):
    (tmp_path / "script.py").write_text(ECHO + "sys.exit(7)\n")
    done = ready.run("-p", "script.py", "--flag", "two words", "-t", cwd=tmp_path)
    echo = json.loads(done.stdout)
    assert (echo["args"], echo["cwd"], done.returncode) == (["--flag", "two words", "-t"], str(tmp_path), 7)


def test_tests_run_from_the_root_whatever_the_folder(ready: Checkout, tmp_path: Path):
    echo = json.loads(ready.run("-t", "-k", "ink and force", cwd=tmp_path).stdout)
    assert (echo["args"], echo["cwd"]) == (["-k", "ink and force"], str(ready.root))


def test_launcher_can_be_called_through_a_link(ready: Checkout, tmp_path: Path):
    (tmp_path / "lab").symlink_to(ready.root / "isaaclab.sh")
    done = subprocess.run([tmp_path / "lab", "list_envs"], env=ready.env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["venv"] == str(ready.root / ".venv")


def test_an_active_environment_does_not_win(ready: Checkout, tmp_path: Path):
    active = {"VIRTUAL_ENV": str(tmp_path), "CONDA_PREFIX": str(tmp_path), "PYTHONHOME": str(tmp_path)}
    done = ready.run("play", env={**ready.env, **active})
    assert json.loads(done.stdout)["venv"] == str(ready.root / ".venv")
