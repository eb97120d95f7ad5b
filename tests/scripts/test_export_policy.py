# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A run, exported as a user would."""

import json
import subprocess

import numpy as np
import pytest

from mereq_deploy.contract import Contract
from mereq_deploy.policy import OnnxPolicy

from .conftest import command, run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]


def test_a_run_is_exported_with_its_contract_and_replaced_on_request(run_folder, tmp_path):
    output = tmp_path / "erase"
    output.mkdir()
    (output / "notes.txt").touch()
    arguments = ("--run", str(run_folder), "--output", str(output), "--with", "prior", "sampler")
    refused = run_script("export_policy.py", *arguments, task=None)
    assert refused.returncode == 2 and "something else" in refused.stderr
    (output / "notes.txt").unlink()

    result = run_script("export_policy.py", *arguments, task=None)
    assert result.returncode == 0, result.stderr
    assert "files agree with the policy within" in result.stdout

    contract = Contract.load(output)
    summary = json.loads((run_folder / "summary.json").read_text())
    assert contract.task == "Franka-Erase"
    assert contract.theta == summary["theta"]
    assert contract.source["expert_samples"] == summary["expert_samples"]
    assert contract.source["actions"] == summary["actions"] == "sampled"
    assert sorted(contract.models) == ["policy", "prior", "sampler"]
    assert {file.name for file in output.iterdir()} == {
        "contract.json",
        "contract.sha256",
        *(f"{name}.{form}" for name in contract.models for form in ("onnx", "pt")),
    }
    observation = np.zeros(contract.num_obs, dtype=np.float32)
    aligned, prior = (OnnxPolicy(output, contract, name)(observation) for name in ("policy", "prior"))
    assert aligned.shape == (3,) and not np.array_equal(aligned, prior)

    again = run_script("export_policy.py", "--run", "expert", "--output", str(output))
    assert again.returncode == 0, again.stderr
    assert list(Contract.load(output).models) == ["policy"]


DIFFERENT = """
import runpy, sys
import mereq_lab.commands.export
import mereq_lab.export

def differ(*arguments):
    raise mereq_lab.export.ExportError("policy.onnx differs from the policy by 0.1")

mereq_lab.commands.export.check_agreement = differ
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_files_that_differ_from_the_policy_are_refused_and_an_earlier_export_stays(tmp_path):
    output = tmp_path / "erase"
    arguments = ("--run", "prior", "--output", str(output))
    assert run_script("export_policy.py", *arguments).returncode == 0
    before = {file.name: file.read_bytes() for file in output.iterdir()}

    program, *rest = command("export_policy.py", *arguments)
    refused = subprocess.run(
        [program, "-c", DIFFERENT, *rest], capture_output=True, text=True, timeout=400, check=False
    )
    assert refused.returncode == 2 and refused.stderr.endswith("error: policy.onnx differs from the policy by 0.1\n")
    assert {file.name: file.read_bytes() for file in output.iterdir()} == before
    assert [file.name for file in tmp_path.iterdir()] == ["erase"]
