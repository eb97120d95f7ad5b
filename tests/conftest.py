# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What tests share: the real environment, since Isaac Lab allows one simulation at a time in a process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mereq_tasks.arguments import task_names

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from mereq_tasks.launch import OpenTask

SLOW_TO_MAKE = ("trainers", "any_task", "erase_task", "pick_place_task", "push_bottle_task", "run_folder", "ready")


LONG = frozenset(
    (
        "launcher/test_odd_places.py",
        "mereq_deploy/test_faults.py",
        "mereq_lab/test_damaged_files.py",
        "mereq_lab/test_live_flood.py",
        "scripts/test_benchmark.py",
        "scripts/test_benchmark_speed.py",
        "scripts/test_distributed.py",
        "scripts/test_probe_person.py",
        "scripts/test_run_carried_whole.py",
        "scripts/test_run_folder_in_use.py",
        "scripts/test_supervise.py",
        "scripts/test_train_policy.py",
        "test_isaaclab_cli.py",
    )
)
"""Files of half a minute and more whose subject has quicker tests elsewhere. CI runs them, and ``-t --all``."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the long tests, too (default where tests are named)")


def pytest_configure(config: pytest.Config) -> None:
    """Lets tests and what they start hear Ctrl-C: a shell starts what it puts aside deaf to it.

    A test that is named is meant, however long it takes. All processes get the same command line, and decide alike.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    is_named = config.args_source is pytest.Config.ArgsSource.ARGS
    is_named |= any(mark in config.getoption("markexpr") for mark in ("long", "slow", "trainers"))
    if is_named:
        config.option.all = True


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps tests that share something slow, or the machine, in one process; starts of the simulator come first.

    Of what is left at the end nothing takes long, so that all processes end at about the same time. Tests that are slow
    or install other programs are left out unless they are asked for by their mark; long ones by that or by ``--all``.
    """
    for item in items:
        if item.path.relative_to(Path(__file__).parent).as_posix() in LONG:
            item.add_marker(pytest.mark.long)
    for mark in ("slow", "trainers", *(() if config.getoption("all") else ("long",))):
        if mark not in config.getoption("markexpr"):
            unasked = [item for item in items if item.get_closest_marker(mark)]
            items[:] = [item for item in items if not item.get_closest_marker(mark)]
            config.hook.pytest_deselected(items=unasked)
    for item in items:
        if keeps_time(item):
            item.add_marker(pytest.mark.xdist_group("realtime"))
        for fixture in SLOW_TO_MAKE:
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(fixture))
    items.sort(key=lambda item: item.get_closest_marker("sim") is None)


@pytest.fixture(autouse=True)
def _ordinary_priority() -> Iterator[None]:
    """Fails a test that leaves its process with realtime priority: what later tests start would inherit it.

    The constructor of franky.Robot gives it to the thread that calls it.
    """
    yield
    policy = os.sched_getscheduler(0)
    assert policy not in (os.SCHED_FIFO, os.SCHED_RR), "this test left the main thread with realtime priority"


def keeps_time(item: pytest.Item | None) -> bool:
    return item is not None and item.get_closest_marker("realtime") is not None


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before pytest-timeout starts to count
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Runs tests that keep time alone on the machine: an arm that gets no processor for 40 ms stops, as it should.

    The other processes wait once for all of them, and not for each.
    """
    if not MACHINE.is_held:
        MACHINE.take(alone=keeps_time(item))
    try:
        return (yield)
    finally:
        if not (keeps_time(item) and keeps_time(nextitem)):
            MACHINE.leave()


class Machine:
    """The machine, which pytest's processes hold together, or one of them alone."""

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()
        self.is_held = False

    def take(self, alone: bool) -> None:
        """Waits until nobody else is there, or nobody who wants to be alone."""
        folder = Path(tempfile.gettempdir()) / f"mereq_tests_{os.getuid()}"
        folder.mkdir(exist_ok=True)
        machine = self._held.enter_context((folder / "machine").open("w"))
        with (folder / "door").open("w") as door:
            # Who waits to be alone keeps the door shut: without it there would always be another who does not mind.
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(door, fcntl.LOCK_UN)
        # Closing would not do: a process that the test forked has the file open as well.
        self._held.callback(fcntl.flock, machine, fcntl.LOCK_UN)
        self.is_held = True

    def leave(self) -> None:
        """Lets others in."""
        self._held.close()
        self.is_held = False


MACHINE = Machine()


class TaskOpener:
    """Opens tasks one at a time: the one before is closed first, and asking for the open one again costs nothing."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._open: tuple[str, OpenTask] | None = None

    def open(self, name: str) -> OpenTask:
        """A task with 16 robots on the CPU. Tests reset it themselves."""
        from mereq_tasks.launch import open_task, settings_of

        if self._open is None or self._open[0] != name:
            self.close()
            settings = settings_of(name, "--num_envs", "16", "--device", "cpu", "--seed", "3")
            task = self._stack.enter_context(open_task(settings))
            self._open = (name, task)
        return self._open[1]

    def close(self) -> None:
        self._open = None
        self._stack.close()


@pytest.fixture(scope="session")
def task_opener() -> Iterator[TaskOpener]:
    opener = TaskOpener()
    yield opener
    opener.close()


@pytest.fixture(scope="module", params=task_names())
def any_task(request, task_opener) -> OpenTask:
    """Each task of the suite, one after the other."""
    return task_opener.open(request.param)


@pytest.fixture(scope="module")
def erase_task(task_opener) -> OpenTask:
    """Franka-Erase."""
    return task_opener.open("Franka-Erase")


@pytest.fixture(scope="module")
def push_bottle_task(task_opener) -> OpenTask:
    """Franka-PushBottle."""
    return task_opener.open("Franka-PushBottle")


@pytest.fixture(scope="module")
def pick_place_task(task_opener) -> OpenTask:
    """Franka-PickPlace."""
    return task_opener.open("Franka-PickPlace")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser without a window. The tests' own packages bring none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    executable = next((path for name in names if (path := shutil.which(name))), None)
    if executable is None and "CI" not in os.environ:
        pytest.skip("needs Chromium (Debian, Ubuntu: apt-get install chromium)")
    assert executable is not None, "CI has to install Chromium"

    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def small_disk(request, tmp_path) -> Iterator[Path]:
    """A file system of 2 MB, or as many as its parameter says, which fills up as a disk does."""
    place = tmp_path / "disk"
    place.mkdir()
    size = f"size={getattr(request, 'param', 2)}m"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
