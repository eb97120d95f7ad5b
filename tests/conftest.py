# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What tests share: the real environment, since Isaac Lab allows one simulation at a time in a process."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mereq_tasks.launch import OpenTask

SLOW_TO_MAKE = ("erase_task", "run_folder", "ready")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps tests that share something slow in one process, so that it is made once."""
    for item in items:
        for fixture in SLOW_TO_MAKE:
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(fixture))


@pytest.fixture(scope="session")
def erase_task() -> Iterator[OpenTask]:
    """Franka-Erase with 16 robots on the CPU. Tests reset it themselves."""
    from mereq_tasks.arguments import add_task_args, parse_task_args
    from mereq_tasks.launch import open_task, resolve_task

    parser = argparse.ArgumentParser()
    add_task_args(parser)
    command_line = ["--task", "Franka-Erase", "--num_envs", "16", "--device", "cpu", "--seed", "3"]
    with open_task(resolve_task(*parse_task_args(parser, command_line))) as task:
        yield task
