# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mereq_deploy.action import ActionMapper, Target
from mereq_deploy.contract import Contract
from mereq_deploy.safety import Measured, SafetyError, SafetyFilter, SafetyLimits, Violation
from mereq_deploy.safety.limits import DEFAULT_FILE, JOINT_SPEED
from mereq_deploy.state import ArmState, conjugate, multiply

DOWN = np.array([1.0, 0.0, 0.0, 0.0])
READY = np.array([0.0, 0.272, 0.0, -2.399, 0.0, 2.671, 0.785])
LIMITS = SafetyLimits.load()


def measured(position=(0.5, 0.0, 0.1), **changes) -> Measured:
    still = Measured(np.array(position), DOWN, READY, np.zeros(7), np.zeros(3), np.zeros(7), 0.001)
    return replace(still, **changes)


def target(x: float, y: float, z: float) -> Target:
    return Target(np.array([x, y, z]), DOWN)


@pytest.fixture
def contract(values) -> Contract:
    return Contract.from_dict(values)


@pytest.fixture
def full_speed(contract) -> SafetyFilter:
    return SafetyFilter(LIMITS, contract, speed=1.0)


# --- what is clamped --------------------------------------------------------------------------------------------------


def test_a_small_step_inside_all_limits_passes_unchanged(full_speed):
    command = full_speed.command(target(0.505, 0.002, 0.095), measured())
    np.testing.assert_allclose(command.position, [0.505, 0.002, 0.095])
    np.testing.assert_allclose(command.orientation, DOWN, atol=1e-12)
    assert command.clamped_by == ()


def test_a_step_grows_by_the_acceleration_up_to_the_speed(full_speed):
    # Speed 400 / 60 times the error: 0.25 m/s is 37.5 mm. 1.5 m/s² at 20 Hz is 0.075 m/s, 11.25 mm, a step.
    steps = []
    for _ in range(5):
        command = full_speed.command(target(0.6, 0.0, 0.1), measured())
        steps.append(round(float(command.position[0] - 0.5), 6))
    assert steps == [0.01125, 0.0225, 0.03375, 0.0375, 0.0375]
    assert "speed" in command.clamped_by and "step" in command.clamped_by


def test_a_first_run_is_ten_times_slower(contract):
    first = SafetyFilter(LIMITS, contract)
    for _ in range(20):
        command = first.command(target(0.6, 0.0, 0.1), measured())
    assert command.position[0] - 0.5 == pytest.approx(0.1 * 0.0375)


def test_the_tighter_of_both_workspaces_holds(full_speed):
    # The file's box ends at z = 0.6, the contract's at 0.3; at y the other way round it is 0.4 and 0.3.
    for _ in range(10):
        command = full_speed.command(target(0.5, 0.5, 0.5), measured(position=(0.5, 0.29, 0.29)))
    np.testing.assert_allclose(command.position, [0.5, 0.3, 0.3])
    assert "workspace" in command.clamped_by


def test_the_hand_turns_no_faster_than_allowed(full_speed):
    half_turn = Target(np.array([0.5, 0.0, 0.1]), multiply(np.array([0.0, 0.0, 1.0, 0.0]), DOWN))
    command = full_speed.command(half_turn, measured())
    turned = 2.0 * math.acos(abs(float(multiply(command.orientation, conjugate(DOWN))[3])))
    assert turned * 50.0 / 3.0 == pytest.approx(0.5)  # stiffness over damping, in the fixture's contract
    assert command.clamped_by == ("turn rate",)


# --- what stops the arm -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"age": 0.051}, "state is 0.051 s old, at most 0.05 s"),
        ({"force": np.array([0.0, 18.0, 25.0])}, "force on the tool is 30.8 N, at most 30.0 N"),
        ({"joint_torque": np.eye(7)[4] * -26.0}, "external torque on joint 5 is 26.0 N m, at most 25.0"),
        ({"joint_position": READY + np.eye(7)[3] * 2.2}, "joint 4 is at -0.199 rad, -2.977 to -0.217"),
        ({"joint_speed": np.eye(7)[0] * -1.4}, "joint 1 moves at 1.40 rad/s, at most 1.31"),
        ({"tool_position": np.array([0.5, 0.0, 0.34])}, "tool is 0.040 m outside the workspace along z"),
        ({"joint_position": np.full(7, math.nan)}, "the arm reports joint position"),
        ({"force": np.array([math.inf, 0.0, 0.0])}, "the arm reports force"),
        ({"hand_orientation": np.zeros(4)}, "which is no rotation"),
    ],
)
def test_a_reading_beyond_its_limit_stops_the_arm_with_the_numbers(full_speed, changes, message):
    full_speed.watch(measured())
    with pytest.raises(Violation, match=message.replace(".", r"\.")):
        full_speed.watch(measured(**changes))


def test_a_motion_is_bounded_in_time(full_speed):
    full_speed.watch(measured(), motion_time=119.9)
    with pytest.raises(Violation, match=r"the motion lasts 120\.1 s"):
        full_speed.watch(measured(), motion_time=120.1)


def test_a_target_that_is_no_number_stops_the_arm(full_speed):
    with pytest.raises(Violation, match="the policy asks for"):
        full_speed.command(target(math.nan, 0.0, 0.1), measured())


# --- nothing gets past ------------------------------------------------------------------------------------------------

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)
NEAR = st.floats(-1.5, 1.5)


def test_whatever_policy_and_arm_say_no_command_leaves_the_limits(values):
    """12,000 steps, three in a row, of random actions and states, NaN and infinities included."""
    contract = Contract.from_dict(values)
    mapper, speed_per_error = ActionMapper(contract), 400.0 / 60.0
    outcomes = {"passed": 0, "stopped": 0}

    @settings(max_examples=4_000, deadline=None)
    @given(
        actions=arrays(np.float64, (3, 3), elements=st.one_of(NEAR, ANY), fill=NEAR),
        places=arrays(np.float64, (3, 3), elements=st.one_of(st.floats(-0.05, 0.75), ANY), fill=st.just(0.31)),
        readings=arrays(np.float64, (3, 18), elements=st.one_of(st.floats(-0.3, 0.3), ANY), fill=st.just(0.0)),
    )
    @example(actions=np.full((3, 3), np.nan), places=np.full((3, 3), 0.3), readings=np.zeros((3, 18)))
    @example(actions=np.full((3, 3), np.inf), places=np.full((3, 3), 0.3), readings=np.zeros((3, 18)))
    def check(actions, places, readings):
        safety, last_velocity = SafetyFilter(LIMITS, contract, speed=1.0), np.zeros(3)
        for action, place, reading in zip(actions, places, readings, strict=True):
            arm = measured(
                tool_position=place,
                joint_position=READY + reading[:7],
                joint_speed=reading[7:14],
                force=reading[14:17],
                age=abs(reading[17]),
            )
            try:
                safety.watch(arm)
                with np.errstate(all="ignore"):
                    asked = mapper.target(action, ArmState(place, np.zeros(3), DOWN, np.zeros(3)))
                command = safety.command(asked, arm)
            except Violation:
                outcomes["stopped"] += 1
                continue
            outcomes["passed"] += 1
            assert np.isfinite(command.position).all() and np.isfinite(command.orientation).all()
            assert np.linalg.norm(command.orientation) == pytest.approx(1.0)
            assert (command.position >= np.minimum(place, (0.3, -0.3, 0.0)) - 1e-12).all()
            assert (command.position <= np.maximum(place, (0.7, 0.3, 0.3)) + 1e-12).all()
            velocity = (command.position - place) * speed_per_error
            assert np.linalg.norm(velocity) <= 0.25 + 1e-9
            assert np.linalg.norm(command.position - place) <= 0.05 + 1e-9
            if "workspace" not in command.clamped_by:
                assert np.linalg.norm(velocity - last_velocity) <= 0.075 + 1e-9
            last_velocity = velocity
            # What was let pass was within its limits.
            assert np.linalg.norm(reading[14:17]) <= 30.0 and abs(reading[17]) <= 0.05
            assert (np.abs(reading[7:14]) <= 0.5 * np.array(JOINT_SPEED)).all()

    check()
    assert min(outcomes.values()) > 1_000, outcomes


# --- the file of limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "changed", "message"),
    [
        ("max_speed = 0.25", "max_speed = 3.5", "max_speed is 3.5; it must be above 0 and at most 3"),
        ("max_force = 30.0", "max_force = nan", "max_force is nan"),
        ("max_force = 30.0", 'max_force = "much"', "max_force is much"),
        ("max_force = 30.0", "", "missing limits: max_force"),
        ("max_force = 30.0", "max_force = 30.0\nmax_sound = 1", "unknown limits: contact.max_sound"),
        ("low = [0.28, -0.40, -0.05]", "low = [0.28, 0.50, 0.00]", "workspace from 0.5 to 0.4 is empty"),
        ("low = [0.28, -0.40, -0.05]", "low = [0.28, 0.50]", "3 numbers"),
        ("[time]", "[time", "damaged"),
    ],
)
def test_a_file_that_is_wrong_or_too_generous_is_refused(tmp_path, line, changed, message):
    text = DEFAULT_FILE.read_text()
    assert line in text
    file = tmp_path / "safety.toml"
    file.write_text(text.replace(line, changed))
    with pytest.raises(SafetyError, match=message):
        SafetyLimits.load(file)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SafetyError, match="cannot be read"):
        SafetyLimits.load(tmp_path / "none.toml")
