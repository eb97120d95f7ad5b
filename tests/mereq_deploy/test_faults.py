# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Each thing that can go wrong, once, on a simulated controller over real sockets.

Bounds are wide here, where tests share the cores; `scripts/benchmark_faults.py` holds the figures that are promised.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mereq_deploy.contract import Contract
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.simulated.fault_runs import REFUSALS, run_fault, run_killed_policy, run_refusal
from mereq_deploy.simulated.faults import FAULTS, Fault

pytestmark = [pytest.mark.timeout(120), pytest.mark.realtime]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_stops_the_arm_says_why_and_leaves_a_whole_log(arm_contract: Contract, fault: Fault):
    found = run_fault(fault, arm_contract, SafetyLimits.load())
    assert re.search(fault.message, found.reason)
    assert found.to_stop is not None and found.to_stop < 0.5
    assert (found.to_rest is not None and found.to_rest < 0.8) == fault.arm_stays
    assert found.is_log_whole


@pytest.mark.parametrize("name", REFUSALS)
def test_what_must_not_begin_is_refused_and_the_arm_stays_where_it_is(arm_export: Path, name: str):
    found = run_refusal(name, arm_export, SafetyLimits.load())
    assert re.search(REFUSALS[name], found.reason) and "\n" not in found.reason
    assert found.to_rest == 0.0


def test_the_arm_comes_to_rest_by_itself_when_the_policys_process_is_killed(arm_contract: Contract):
    found = run_killed_policy(arm_contract, SafetyLimits.load())
    assert found.to_rest is not None and found.to_rest < 0.8
    assert found.is_log_whole
