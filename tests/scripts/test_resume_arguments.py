# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a run that is resumed keeps of the command line that it was started with."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from mereq_algo.records import RunFolder, RunFolderError
from mereq_lab.commands import live_args
from mereq_lab.commands import resume as resume_module
from mereq_tasks.arguments import TaskUsageError, add_task_args


class Resume:
    """The module ``resume`` and a parser as ``train_mereq.py`` has it."""

    def __init__(self) -> None:
        self.module = resume_module
        self.parser = argparse.ArgumentParser()
        add_task_args(self.parser)
        self.parser.add_argument("--prior", default="prior")
        people = ("synthetic", "browser", "spacemouse")
        self.parser.add_argument("--person", default="synthetic", choices=people)
        self.parser.add_argument("--from-recordings")
        self.live = live_args
        self.live.add_live_args(self.parser)

    def parse(self, *arguments: str) -> argparse.Namespace:
        return self.parser.parse_args(["--task", "Franka-Erase", *arguments])

    def kept(self, folder: RunFolder, *arguments: str) -> argparse.Namespace:
        args = self.parse(*arguments)
        assert self.module.kept_arguments(folder, args, [], self.parser) == ["agent.max_rounds=3"]
        self.live.fill_in_address(args)
        return args


@pytest.fixture
def resume() -> Resume:
    return Resume()


@pytest.fixture
def folder(resume, tmp_path) -> RunFolder:
    """Of a run with people at three robots."""
    folder = RunFolder.create(tmp_path, "Franka-Erase", "test")
    live = ("--person", "browser", "--num_supervised", "3", "--host", "192.0.2.1", "--port", "8090")
    resume.module.keep_arguments(folder, resume.parse("--seed", "7", *live), ["agent.max_rounds=3"], "cpu")
    return folder


def test_the_command_line_is_kept(resume, folder):
    args = resume.kept(folder)
    assert (args.seed, args.person, args.num_supervised) == (7, "browser", 3)
    assert (args.host, args.port) == ("192.0.2.1", 8090)


def test_the_page_may_move(resume, folder):
    """Also to where it would be if nobody had said anything: to close a page that was open to others."""
    args = resume.kept(folder, "--port", "8080", "--host", "127.0.0.1")
    assert (args.host, args.port, args.num_supervised) == ("127.0.0.1", 8080, 3)


def test_what_is_learned_from_may_not(resume, folder):
    with pytest.raises(TaskUsageError, match="keeps its num_supervised: it is 3, not 2"):
        resume.kept(folder, "--num_supervised", "2")


def test_runs_of_earlier_versions_had_no_page(resume, folder):
    file = Path(folder.path / "params" / "arguments.yaml")
    names = ("person", "num_supervised", "host", "port")
    file.write_text("\n".join(line for line in file.read_text().splitlines() if not line.startswith(names)))
    args = resume.kept(folder)
    assert (args.person, args.num_supervised, args.port) == ("synthetic", 1, 8080)


@pytest.mark.parametrize(
    "odd",
    [
        {"seed": 10**30},
        {"seed": -1},
        {"num_envs": 0},
        {"num_supervised": 0},
        {"num_supervised": 10**400},
        {"port": 99_999},
        {"person": "nobody"},
        {"person": "\ud800"},
        {"seed": True},
        {"settings": ["max_rounds"]},
        {"settings": [3]},
    ],
    ids=ascii,
)
def test_values_of_the_file_are_checked_as_those_of_the_command_line(resume, folder, odd):
    folder.write_params("arguments", folder.read_params("arguments") | odd)
    with pytest.raises((RunFolderError, TaskUsageError)) as error:
        resume.kept(folder)
    assert next(iter(odd)) in str(error.value) and "\n" not in str(error.value)
