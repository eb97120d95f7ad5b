# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The plain program of docs/deploy.md does what the runtime does."""

import re
from pathlib import Path

import numpy as np

from mereq_deploy.action import ActionMapper
from mereq_deploy.contract import Contract
from mereq_deploy.observation import ObservationBuilder
from mereq_deploy.policy import OnnxPolicy
from mereq_deploy.state import ArmState, Scene

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"


def test_the_example_needs_no_code_of_ours_and_agrees_with_it(export_folder):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(example.splitlines()) <= 40 and "mereq_deploy" not in example
    program: dict = {}
    exec(example.replace("exported/erase", str(export_folder)), program)

    contract = Contract.load(export_folder)
    position, velocity = np.array([0.62, -0.1, 0.29]), np.array([0.1, 0.0, -0.3])
    arm = ArmState(position, velocity, np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3))
    seen = ObservationBuilder(contract).build(Scene(arm, position))
    wanted = ActionMapper(contract).target(OnnxPolicy(export_folder, contract)(seen), arm)
    # The contract of the test's export counts positions from x = 0.5.
    measured = {"tool_position": position - [0.5, 0.0, 0.0], "tool_velocity": velocity}
    np.testing.assert_array_equal(program["observation"](measured), seen)
    np.testing.assert_allclose(program["target"](measured, position), wanted.position)
