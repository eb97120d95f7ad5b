# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Each thing that can go wrong, once, on a simulated controller over real sockets.

Bounds are wide here, where tests share the cores. `scripts/tools/benchmark_faults.py` holds the figures that are
promised.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mereq_deploy.contract import Contract
from mereq_deploy.guard import GuardedArm
from mereq_deploy.guard.messages import Settings
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.simulated.fault_runs import REFUSALS, Finding, run_fault, run_killed_policy, run_refusal
from mereq_deploy.simulated.faults import FAULTS, Fault
from mereq_deploy.simulated.process import simulated_robot
from mereq_deploy.simulated.terminal_runs import TERMINAL_FAULTS, TerminalFault, run_at_terminal, run_tap

pytestmark = [pytest.mark.timeout(240), pytest.mark.realtime]


def found_by(run: Callable[[], Finding], message: str) -> Finding:
    """Tries again where the machine itself stood still for 30 ms: the guard then stops the arm before the fault."""
    for _ in range(4):
        try:
            found = run()
        except RuntimeError as error:  # it stopped the arm before it moved
            if "too busy" not in str(error):
                raise
            continue
        if re.search(message, found.reason) or "too busy" not in found.reason:
            return found
    raise AssertionError("the machine was too busy, four times")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_stops_the_arm_says_why_and_leaves_a_whole_log(arm_contract: Contract, fault: Fault):
    found = found_by(lambda: run_fault(fault, arm_contract, SafetyLimits.load()), fault.message)
    assert re.search(fault.message, found.reason), found
    assert found.to_stop is None or found.to_stop < fault.to_stop + 0.4
    assert (found.to_stop is None) == fault.cause_is_hidden
    assert (found.to_rest is not None and found.to_rest < 1.0) == fault.arm_stays
    assert found.is_log_whole


@pytest.mark.parametrize(
    ("fault", "going_home"),
    [(fault, index % 2 == 0) for index, fault in enumerate(TERMINAL_FAULTS)],
    ids=lambda value: value.name if isinstance(value, TerminalFault) else "going home" if value else "following",
)
def test_a_fault_at_a_real_terminal_stops_the_arm(arm_export: Path, fault: TerminalFault, going_home: bool):
    found = found_by(lambda: run_at_terminal(fault, arm_export, going_home), fault.reason or "^$")
    assert re.search(fault.reason, found.reason), found
    assert found.to_rest is not None and found.to_rest < fault.to_rest + 0.5
    assert found.is_log_whole


def test_a_tap_of_the_dead_man_key_moves_nothing(arm_export: Path):
    assert run_tap(arm_export).to_rest == 0.0


@pytest.mark.parametrize("name", REFUSALS)
def test_what_must_not_begin_is_refused_and_the_arm_stays_where_it_is(arm_export: Path, name: str):
    found = run_refusal(name, arm_export, SafetyLimits.load())
    assert re.search(REFUSALS[name], found.reason) and "\n" not in found.reason
    assert found.to_rest == 0.0


def test_a_stop_that_was_confirmed_in_time_counts_however_late_the_program_reads_it(arm_contract: Contract):
    """A program that was starved for half a second finds what the guard said meanwhile, and does not end the guard."""
    with simulated_robot(arm_contract.home) as robot:
        arm = GuardedArm(robot.address, arm_contract, SafetyLimits.load(), Settings(speed=1.0))
        with contextlib.closing(arm):
            arm.go_home()
            arm.follow()
            arm.ask_to_stop("asked in time", is_regular=True)
            time.sleep(0.5)
            stopped = arm.stop("asked again")
    assert (stopped.reason, stopped.by_arm) == ("asked in time", False) and stopped.at_rest is not None


def test_the_arm_comes_to_rest_by_itself_when_the_policys_process_is_killed(arm_contract: Contract):
    found = run_killed_policy(arm_contract, SafetyLimits.load())
    assert found.to_rest is not None and found.to_rest < 0.8
    assert found.is_log_whole
