# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The robot is built on first use, once, whoever asks at the same time; reading a config builds nothing."""

import os
import subprocess
import sys

import pytest

from mereq_tasks.robots.fr3_usd import fr3_usd_path

BUILD = "from mereq_tasks.robots.fr3_usd import fr3_usd_path; print(fr3_usd_path('eraser'))"


def start(code: str, cache) -> subprocess.Popen:
    environment = {**os.environ, "MEREQ_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen) -> str:
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return output.strip().splitlines()[-1]


@pytest.mark.timeout(300)
def test_two_processes_build_one_robot(tmp_path):
    processes = [start(BUILD, tmp_path) for _ in range(2)]
    first, second = (finish(process) for process in processes)
    assert first == second
    assert os.path.getsize(first) > 0
    # One finished entry, and nothing half-built beside it.
    assert [path.name for path in tmp_path.iterdir()] == [os.path.basename(os.path.dirname(first))]


def test_tools_do_not_share_an_entry_and_a_second_start_builds_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("MEREQ_CACHE", str(tmp_path))
    eraser, gripper = fr3_usd_path("eraser"), fr3_usd_path("gripper")
    assert eraser != gripper
    built_at = eraser.stat().st_mtime_ns
    assert fr3_usd_path("eraser") == eraser
    assert eraser.stat().st_mtime_ns == built_at


def test_tasks_are_registered_without_importing_the_simulator(tmp_path):
    """Isaac Lab's CLI imports every package of tasks at each start, whatever it is asked."""
    code = """
import sys, mereq_tasks, gymnasium
assert "Franka-Erase" in gymnasium.registry
print([name for name in ("torch", "warp", "newton", "isaaclab.sim", "pxr") if name in sys.modules])
"""
    assert finish(start(code, tmp_path)) == "[]"
    assert not list(tmp_path.iterdir())
