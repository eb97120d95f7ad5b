# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The same client on a controller that aborts what an FR3 would abort, also where every core is busy.

Five motions of 30 s each are `scripts/tools/benchmark_streaming.py`'s.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import franky
import numpy as np
import pytest

from mereq_deploy.arm.franky_setup import connect
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.simulated.process import strict_robot
from mereq_deploy.simulated.streaming import busy, stream

# The first time, packages are fetched.
pytestmark = [pytest.mark.timeout(400), pytest.mark.realtime]


@pytest.mark.parametrize("load", [0, len(os.sched_getaffinity(0))], ids=["idle", "busy"])
def test_no_motion_is_aborted_by_strict_checks(arm_contract, tmp_path, load):
    # A machine that is shared with others now and then gives nobody a processor, for longer than the controller waits.
    # A client that is at fault loses packets in every try.
    for attempt in range(3):
        with strict_robot() as robot, busy(load):
            found = stream(robot.address, arm_contract, SafetyLimits.load(), 8.0, tmp_path / f"{attempt}.jsonl")
        if "communication_constraints_violation" not in found.reason:
            break
    assert found.is_whole, found.reason
    assert found.steps == 160
    # Dry friction of 1.1 N m in every joint holds the tool up to 20 mm from where a spring of 400 N/m pulls it.
    assert found.error_most < 0.03


def test_the_strict_arm_aborts_what_goes_beyond_its_limits():
    """The library's own limits are those of another arm: with them the checks have to bite."""
    with strict_robot() as arm:
        robot = connect(arm.address, SafetyLimits.load())
        for limit in (robot.joint_velocity_limit, robot.joint_acceleration_limit, robot.joint_jerk_limit):
            limit.set(limit.max)
        robot.relative_dynamics_factor = 1.0
        place = np.array(robot.state.q)
        place[0] += 0.8
        # The library may give the thread that moves the arm realtime priority, so that is not the tests' own.
        with ThreadPoolExecutor(1) as thread, pytest.raises(franky.ControlException, match="aborted by reflex"):
            thread.submit(robot.move, franky.JointMotion(place)).result(60.0)
