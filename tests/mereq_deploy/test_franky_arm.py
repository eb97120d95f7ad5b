# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The client on a simulated controller that speaks the real protocol over real sockets, on loopback alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import franky
import numpy as np
import pytest

from mereq_deploy.action import Target
from mereq_deploy.arm import ArmError, FrankyArm
from mereq_deploy.arm.franky_gripper import FrankyGripper
from mereq_deploy.arm.franky_setup import connect
from mereq_deploy.contract import Contract
from mereq_deploy.fr3 import JOINT_HIGH, JOINT_LOW, frames, in_hand
from mereq_deploy.safety import Measured, SafetyFilter, SafetyLimits
from mereq_deploy.simulated.controller import serve
from mereq_deploy.simulated.process import simulated_robot

pytestmark = [pytest.mark.timeout(120), pytest.mark.realtime]

LIMITS = SafetyLimits.load()
DOWN = np.array([1.0, 0.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def controller(home) -> Iterator[str]:
    with simulated_robot(home) as robot:
        yield robot.address


def follow(arm: FrankyArm, contract: Contract, seconds: float, place, speed: float = 1.0) -> Measured:
    """Follows a target that is a function of where the tool is, for a time; returns the last reading."""
    safety = SafetyFilter(LIMITS, contract, speed)
    start = time.monotonic()
    while True:
        measured = arm.snapshot().measured
        elapsed = time.monotonic() - start
        safety.watch(measured, elapsed)
        if elapsed > seconds:
            return measured
        arm.send(safety.command(Target(np.asarray(place(measured.tool_position)), DOWN), measured))
        time.sleep(0.005)


def test_the_arm_is_read_moved_pressed_and_stopped(controller, arm_contract):
    arm = FrankyArm(controller, arm_contract, LIMITS)
    np.testing.assert_allclose(arm.snapshot().measured.tool_position, [0.5, 0.0, 0.07], atol=1e-3)
    with pytest.raises(ArmError, match="follows nothing"):
        arm.send(None)  # type: ignore[arg-type]

    arm.follow(max_step=0.05)
    moved = follow(arm, arm_contract, 2.5, lambda tool: (0.55, 0.05, 0.08))
    # Dry friction of 1.1 N m in every joint holds several newtons at the tool; a spring of 400 N/m leaves that undone.
    np.testing.assert_allclose(moved.tool_position, [0.55, 0.05, 0.08], atol=0.02)
    np.testing.assert_array_equal(moved.force, 0.0)

    # 10 N is 25 mm below the board's surface: stiffness times error, less what friction in the joints holds.
    # Slowly: at 0.25 m/s the felt strikes the board with 50 N, which the safety layer stops, if a reading catches it.
    pressed = follow(arm, arm_contract, 5.0, lambda tool: (tool[0], tool[1], -0.005), speed=0.2)
    assert pressed.tool_position[2] == pytest.approx(0.02, abs=2e-3)
    assert pressed.force[2] == pytest.approx(10.0, abs=2.5)
    assert 0.5 < np.abs(pressed.joint_torque).max() < 25.0

    follow(arm, arm_contract, 1.5, lambda tool: (0.5, 0.0, 0.08))
    start = time.monotonic()
    arm.stop()
    assert time.monotonic() - start < 1.0
    assert np.abs(arm.snapshot().measured.joint_speed).max() < 0.02
    with pytest.raises(ArmError, match="follows nothing"):
        arm.send(None)  # type: ignore[arg-type]

    arm.begin_home(speed=0.2)
    assert arm.is_home(30.0)
    arm.end_home()
    np.testing.assert_allclose(arm.snapshot().measured.joint_position, [*arm_contract.home.values()], atol=0.02)


def test_the_first_reading_is_that_of_the_tool(controller, arm_contract):
    # Without waiting for it, one reading in five was that of the tool before (63 of 300).
    longer = replace(arm_contract, tool=replace(arm_contract.tool, point=(0.0, 0.0, 0.1634)))
    for contract, height in [(longer, 0.04), (arm_contract, 0.07)] * 10:
        arm = FrankyArm(controller, contract, LIMITS)
        assert arm.snapshot().measured.tool_position[2] == pytest.approx(height, abs=5e-3)
        del arm  # a second client would be refused


def reported(address: str) -> franky.RobotState:
    return connect(address, LIMITS).state


def test_what_an_earlier_run_set_on_the_arm_does_not_stay(controller, arm_contract):
    """A load of 1.5 kg, another tool, another frame of stiffness; an empty hand is a load of 0 that is set as well."""
    heavy = replace(arm_contract, tool=replace(arm_contract.tool, mass=1.5, point=(0.0, 0.0, 0.2)))
    arm = FrankyArm(controller, heavy, LIMITS)
    assert arm.what_was_set["load_kg"] == pytest.approx(1.5)
    del arm
    robot = connect(controller, LIMITS)  # in a thread: it gives the one that it runs in realtime priority
    robot.set_k([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0.1, 1])
    del robot
    empty = replace(arm_contract, tool=replace(arm_contract.tool, mass=0.0))
    arm = FrankyArm(controller, empty, LIMITS)
    assert arm.what_was_set["load_kg"] == 0.0
    del arm
    state = reported(controller)
    assert state.m_load == 0.0
    np.testing.assert_allclose(state.EE_T_K.matrix, np.eye(4))


def test_a_dry_run_sets_nothing_and_sees_its_own_tool(controller, arm_contract):
    longer = replace(arm_contract, tool=replace(arm_contract.tool, mass=0.5, point=(0.0, 0.0, 0.1634)))
    arm = FrankyArm(controller, longer, LIMITS)
    place = arm.snapshot().measured.tool_position
    del arm
    arm = FrankyArm(controller, arm_contract, LIMITS, dry_run=True)
    measured = arm.snapshot().measured
    assert arm.what_was_set == {}
    del arm
    # The tool points down: one that is 30 mm shorter ends 30 mm higher.
    np.testing.assert_allclose(measured.tool_position, place + np.array([0.0, 0.0, 0.03]), atol=2e-3)
    state = reported(controller)
    assert state.m_load == pytest.approx(0.5)


def test_links_and_hand_are_where_the_arms_own_model_has_them(controller):
    robot = connect(controller, LIMITS)  # in a thread: it gives the one that it runs in realtime priority
    model, rng = robot.model, np.random.default_rng(0)
    names = [*(f"Joint{i}" for i in range(1, 8)), "Flange"]
    for joints in rng.uniform(JOINT_LOW, JOINT_HIGH, (20, 7)):
        found = frames(joints)
        for index, name in enumerate(names):
            pose = model.pose(getattr(franky.Frame, name), joints, franky.Affine(), franky.Affine())
            np.testing.assert_allclose(found[index], pose.matrix, atol=1e-3)


def test_a_tool_beside_the_hands_axis_is_where_the_hand_has_it(controller, arm_contract):
    aside = replace(arm_contract, tool=replace(arm_contract.tool, point=(0.1, -0.05, 0.13)))
    for dry_run in (False, True):
        arm = FrankyArm(controller, aside, LIMITS, dry_run=dry_run)
        measured = arm.snapshot().measured
        wanted = in_hand(frames(measured.joint_position)[8], np.array([0.1, -0.05, 0.13]))
        np.testing.assert_allclose(measured.tool_position, wanted, atol=1e-3)
        del arm


def test_a_hand_that_closes_on_nothing_says_so_and_its_reading_has_an_age(controller, values, home):
    grip = {"type": "gripper", "name": "grip", "width": 1, "unit": "m", "open_width": 0.08, "closed_width": 0.035}
    contract = Contract.from_dict({**values, "action": [*values["action"], grip]})
    assert contract.gripper is not None
    hand = FrankyGripper(controller, contract.gripper)
    try:
        hand.want(0.035)
        end = time.monotonic() + 20.0
        failure = None
        while failure is None and time.monotonic() < end:
            failure = hand.take_failure()
            time.sleep(0.02)
        assert failure is not None and "did not grip anything" in failure
        assert hand.take_failure() is None and hand.error is None and not hand.hand.is_gripping
        assert time.monotonic() - hand.hand.time < 1.0
    finally:
        hand.stop()
    read = hand.hand.time
    time.sleep(0.3)
    assert hand.hand.time == read  # who reads no more has a reading that grows old


def test_an_arm_that_is_not_there_is_told_in_one_line(arm_contract):
    with pytest.raises(ArmError, match=r"cannot connect to 127\.0\.78\.1") as refused:
        FrankyArm("127.0.78.1", arm_contract, LIMITS)
    assert "\n" not in str(refused.value)


def test_a_simulated_arm_listens_on_loopback_alone():
    with pytest.raises(ValueError, match="loopback alone"):
        serve("0.0.0.0", [0.0] * 7)
