# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The main job in two processes on one machine, on the real simulator."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from .conftest import OPTIONS, REPOSITORY, TINY, run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]

# Without "--" PyTorch's launcher takes --logs for an abbreviation of one of its own options.
LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--"]


def test_two_processes_leave_one_run(tmp_path):
    script = [str(REPOSITORY / "scripts" / "train_mereq.py"), "--distributed", "--task", "Franka-Erase"]
    done = subprocess.run(
        [*LAUNCHER, *script, *OPTIONS, "--device", "cpu", "--no-video", "--logs", str(tmp_path), *TINY],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("report:") == 1, "one rank speaks"
    (folder,) = (tmp_path / "Franka-Erase").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["world_size"], summary["num_envs"], summary["rounds"]) == (2, 12, 2)
    assert summary["status"] == "budget_spent" and summary["evaluation"]["aligned"]
    assert (folder / "checkpoints" / "state_rank1.pt").is_file()


def test_a_process_that_nobody_started_as_one_of_several_says_so():
    result = run_script("train_mereq.py", "--distributed")
    assert result.returncode == 2 and "torch.distributed.run" in result.stderr and "WORLD_SIZE" in result.stderr
