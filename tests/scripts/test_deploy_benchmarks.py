# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the benchmarks of the runtime do with what is not there; what they measure has tests in mereq_deploy."""

from __future__ import annotations

import pytest

from .conftest import run_script


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("tools/benchmark_faults.py", ["--policy", "nowhere"], "no contract: nowhere/contract.json"),
        ("tools/benchmark_streaming.py", ["--policy", "nowhere"], "no contract: nowhere/contract.json"),
        ("tools/benchmark_transfer.py", ["--policies", "nowhere"], "no contract: nowhere/contract.json"),
        ("tools/benchmark_transfer.py", ["--policies", "a", "--isaac-lab", "b.json"], "figures cannot be read: b.json"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(script, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run_script(script, *arguments, task=None)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith("error: ") and message in result.stderr and result.stderr.count("\n") == 1
