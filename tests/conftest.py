# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The real environment, once for all tests: Isaac Lab allows one simulation at a time in a process."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mereq_tasks.launch import OpenTask


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
