# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The same client on a controller that aborts what an FR3 would abort, also where every core is busy.

Five motions of 30 s each are `scripts/benchmark_streaming.py`'s.
"""

from __future__ import annotations

import os

import franky
import numpy as np
import pytest

from mereq_deploy.safety import SafetyLimits
from mereq_deploy.simulated.process import strict_robot
from mereq_deploy.simulated.streaming import busy, stream

# The first time, packages are fetched.
pytestmark = [pytest.mark.timeout(400), pytest.mark.realtime]


def test_no_motion_is_aborted_by_strict_checks(arm_contract, tmp_path):
    limits = SafetyLimits.load()
    with strict_robot() as robot:
        idle = stream(robot.address, arm_contract, limits, 8.0, tmp_path / "idle.jsonl")
        with busy(len(os.sched_getaffinity(0))):
            loaded = stream(robot.address, arm_contract, limits, 8.0, tmp_path / "busy.jsonl")
    for found in (idle, loaded):
        assert found.is_whole, found.reason
        assert found.steps == 160
        # Dry friction of 1.1 N m in every joint holds the tool up to 20 mm from where a spring of 400 N/m pulls it.
        assert found.error_most < 0.03


def test_the_strict_arm_aborts_what_goes_beyond_its_limits():
    """The library's own limits are those of another arm: with them the checks have to bite."""
    with strict_robot() as arm:
        robot = franky.Robot(arm.address, realtime_config=franky.RealtimeConfig.Ignore)
        for limit in (robot.joint_velocity_limit, robot.joint_acceleration_limit, robot.joint_jerk_limit):
            limit.set(limit.max)
        robot.relative_dynamics_factor = 1.0
        place = np.array(robot.state.q)
        place[0] += 0.8
        with pytest.raises(franky.ControlException, match="aborted by reflex"):
            robot.move(franky.JointMotion(place))
