# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

import contextlib
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mereq_deploy.action import ActionMapper, Target
from mereq_deploy.contract import Contract
from mereq_deploy.fr3 import JOINT_SPEED, heights
from mereq_deploy.safety import (
    Command,
    Measured,
    SafetyError,
    SafetyFilter,
    SafetyLimits,
    Tare,
    Violation,
    check_way_home,
)
from mereq_deploy.safety.limits import DEFAULT_FILE
from mereq_deploy.state import ArmState, conjugate, multiply

DOWN = np.array([1.0, 0.0, 0.0, 0.0])
READY = np.array([0.0, 0.272, 0.0, -2.399, 0.0, 2.671, 0.785])
LIMITS = SafetyLimits.load()


def measured(position=(0.5, 0.0, 0.1), **changes) -> Measured:
    still = Measured(np.array(position), np.zeros(3), DOWN, READY, np.zeros(7), np.zeros(3), np.zeros(7), 0.001)
    return replace(still, **changes)


def target(x: float, y: float, z: float) -> Target:
    return Target(np.array([x, y, z]), DOWN)


@pytest.fixture
def contract(values) -> Contract:
    return Contract.from_dict(values)


@pytest.fixture
def full_speed(contract) -> SafetyFilter:
    return SafetyFilter(LIMITS, contract, speed=1.0)


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """Between two orientations [rad]."""
    return 2.0 * math.acos(min(1.0, abs(float(multiply(a, conjugate(b))[3]))))


# --- what is clamped --------------------------------------------------------------------------------------------------


def references(safety: SafetyFilter, asked: Target, count: int, arm: Measured | None = None) -> list[Command]:
    return [safety.command(asked, arm or measured()) for _ in range(count)]


def test_a_small_step_inside_all_limits_is_reached_exactly(full_speed):
    last = references(full_speed, target(0.505, 0.002, 0.095), 60)[-1]
    np.testing.assert_allclose(last.position, [0.505, 0.002, 0.095], atol=1e-12)
    np.testing.assert_allclose(last.orientation, DOWN, atol=1e-12)
    assert last.clamped_by == ()


def test_the_error_grows_by_the_acceleration_to_the_speed_and_then_slowly_to_a_step(full_speed):
    # The tool settles at 400 / 60 times the error: 0.25 m/s is 37.5 mm, and 5 m/s² at 200 Hz is 3.75 mm a call.
    error = np.array([command.position[0] - 0.5 for command in references(full_speed, target(0.6, 0.0, 0.1), 30)])
    np.testing.assert_allclose(error[:10], 0.00375 * np.arange(1, 11))
    np.testing.assert_allclose(np.diff(error[9:20]), 0.25 / 200.0)
    np.testing.assert_allclose(error[20:], 0.05)


def test_a_first_run_is_ten_times_slower_and_presses_as_hard(contract):
    error = [
        command.position[0] - 0.5 for command in references(SafetyFilter(LIMITS, contract), target(0.6, 0, 0.1), 600)
    ]
    assert error[9] == pytest.approx(0.00375)
    np.testing.assert_allclose(np.diff(error[10:300]), 0.025 / 200.0)
    assert error[-1] == pytest.approx(0.05)


def test_a_tool_that_moves_as_it_should_is_never_asked_for_more_than_the_speed(contract):
    for share in (0.1, 1.0):
        safety, place = SafetyFilter(LIMITS, contract, share), np.array([0.4, 0.0, 0.1])
        speeds = []
        for _ in range(400):
            command = safety.command(target(0.7, 0.0, 0.1), measured(position=place))
            speeds.append(float(np.linalg.norm(command.position - place)) * 400.0 / 60.0)
            place = place + (command.position - place) * 400.0 / 60.0 / 200.0
        assert max(speeds) <= 0.25 * share * 1.001


def test_a_policy_whose_workspace_is_outside_of_the_limits_is_refused(values):
    values["action"][0] |= {"workspace_low": [-10.0, -10.0, -10.0], "workspace_high": [10.0, 10.0, 10.0]}
    with pytest.raises(SafetyError, match=r"the policy's workspace from .* is outside of the limits'"):
        SafetyFilter(LIMITS, Contract.from_dict(values))


def test_letting_go_is_not_limited(full_speed):
    references(full_speed, target(0.6, 0.0, 0.1), 60)
    (gentler,) = references(full_speed, target(0.51, 0.0, 0.1), 1)
    np.testing.assert_allclose(gentler.position, [0.51, 0.0, 0.1])


def test_an_arm_that_is_pushed_away_takes_its_reference_along(full_speed):
    references(full_speed, target(0.55, 0.0, 0.1), 60)
    pushed = full_speed.command(target(0.55, 0.0, 0.1), measured(position=(0.4, 0.0, 0.1)))
    np.testing.assert_allclose(pushed.position, [0.45, 0.0, 0.1])
    assert "step" in pushed.clamped_by


def test_the_tighter_of_both_workspaces_holds(full_speed):
    # The file's box ends at z = 0.6, the contract's at 0.3; at y the other way round it is 0.4 and 0.3.
    last = references(full_speed, target(0.5, 0.5, 0.5), 60, measured(position=(0.5, 0.29, 0.29)))[-1]
    np.testing.assert_allclose(last.position, [0.5, 0.3, 0.3])
    assert "workspace" in last.clamped_by


def test_the_hand_turns_no_faster_and_no_further_than_allowed(full_speed):
    half_turn = Target(np.array([0.5, 0.0, 0.1]), multiply(np.array([0.0, 0.0, 1.0, 0.0]), DOWN))
    turned = [angle(command.orientation, DOWN) for command in references(full_speed, half_turn, 120)]
    np.testing.assert_allclose(np.diff(turned[:70]), 0.5 / 200.0, rtol=1e-4)
    assert turned[-1] == pytest.approx(0.2)


# --- what stops the arm -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"age": 0.051}, "state is 0.051 s old, at most 0.05 s"),
        ({"force": np.array([0.0, 18.0, 25.0])}, "force on the tool is 30.8 N, at most 30.0 N is allowed over 0.05 s"),
        ({"force": np.array([0.0, 0.0, -61.0])}, "force on the tool is 61.0 N, at most 60.0 N is allowed for a moment"),
        ({"joint_torque": np.eye(7)[1] * -26.0}, "external torque on joint 2 is 26.0 N m, at most 25.0"),
        ({"joint_torque": np.eye(7)[4] * 11.0}, "external torque on joint 5 is 11.0 N m, at most 10.0"),
        ({"point_velocity": np.array([0.0, 0.31, 0.41])}, "the tool moves at 0.51 m/s, at most 0.50"),
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
        for _ in range(11):  # contact counts once it has lasted
            full_speed.watch(measured(**changes))


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
def test_a_tool_that_is_faster_than_twice_its_commanded_speed_for_a_while_is_stopped(contract, share):
    """0.25 m/s times the share, twice; over 0.1 s, which are 20 looks."""
    safety = SafetyFilter(LIMITS, contract, share)
    for _ in range(40):
        safety.watch(measured(point_velocity=np.array([0.49 * share, 0.0, 0.0])))
    with pytest.raises(Violation, match=r"over 0\.1 s, at most|m/s, at most"):
        for _ in range(20):
            safety.watch(measured(point_velocity=np.array([0.53 * share, 0.0, 0.0])))


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("joint", [2, 6])
def test_a_hand_or_elbow_that_turns_while_the_tool_stands_is_stopped(contract, share, joint):
    """Twice 0.25 m/s over 0.25 m and 0.5 rad/s, times the share, but no more than half of what the joint can do."""
    most = min(2.0 * 1.5 * share, 0.5 * JOINT_SPEED[joint])
    safety = SafetyFilter(LIMITS, contract, share)
    for _ in range(40):
        safety.watch(measured(joint_speed=0.98 * most * np.eye(7)[joint]))
    with pytest.raises(Violation, match=rf"joint {joint + 1} moves at .* rad/s"):
        for _ in range(40):
            safety.watch(measured(joint_speed=-1.03 * most * np.eye(7)[joint]))


@pytest.mark.parametrize(("share", "most"), [(0.1, 0.15), (0.5, 0.4), (1.0, 0.8)])
def test_no_joint_is_faster_than_twice_its_commanded_speed_on_the_way_home(contract, share, most):
    """0.4 rad/s times the share, twice; 0.15 rad/s at any speed."""
    safety = SafetyFilter(LIMITS, contract, share)
    safety.watch(measured(joint_speed=0.98 * most * np.eye(7)[3]), is_going_home=True)
    with pytest.raises(Violation, match=r"joint 4 moves at"):
        safety.watch(measured(joint_speed=1.02 * most * np.eye(7)[3]), is_going_home=True)


def test_a_slow_arm_that_slips_free_may_be_fast_for_a_moment_and_no_faster(contract):
    slow = SafetyFilter(LIMITS, contract)
    for speed in (0.0,) * 20 + (0.09,) * 5 + (0.0,) * 20:
        slow.watch(measured(point_velocity=np.array([speed, 0.0, 0.0])))
    with pytest.raises(Violation, match=r"the tool moves at 0\.11 m/s, at most 0\.10"):
        slow.watch(measured(point_velocity=np.array([0.11, 0.0, 0.0])))


def test_a_tool_inside_the_table_stops_the_arm(values):
    values["action"][0]["workspace_low"][2] = -0.05
    safety = SafetyFilter(LIMITS, Contract.from_dict(values), speed=1.0)
    safety.watch(measured((0.5, 0.0, -0.009)))
    with pytest.raises(Violation, match=r"the tool is at a height of -0\.011 m, at least -0\.01 m"):
        safety.watch(measured((0.5, 0.0, -0.011)))


@pytest.mark.parametrize(("force", "stops"), [(8.0, False), (-8.0, True), (-4.0, False)])
def test_a_force_that_points_where_the_arm_pulls_stops_it(full_speed, force, stops):
    """Pressed down, what is touched pushes up; for 0.25 s the other way round can be a blow."""
    references(full_speed, target(0.5, 0.0, 0.05), 60)
    pressing = measured(force=np.array([0.0, 0.0, force]))
    for _ in range(50):
        full_speed.watch(pressing)
    with pytest.raises(Violation, match="points where the arm pulls") if stops else contextlib.nullcontext():
        full_speed.watch(pressing)


@pytest.mark.parametrize("weight", [3.4, 6.4])
def test_a_parcel_that_is_lowered_is_no_force_the_wrong_way(values, weight):
    """0.35 to 0.65 kg, for a second; 1.5 kg are more than the hand may carry."""
    grip = {"type": "gripper", "name": "grip", "width": 1, "unit": "m", "open_width": 0.08, "closed_width": 0.035}
    values["action"].append(grip)
    safety = SafetyFilter(LIMITS, Contract.from_dict(values), speed=1.0)
    for _ in range(200):
        carried = measured(force=np.array([0.0, 0.0, -weight]))
        safety.watch(carried)
        safety.command(target(0.5, 0.0, 0.05), carried)
    with pytest.raises(Violation, match="points where the arm pulls"):
        for _ in range(60):
            too_heavy = measured(force=np.array([0.0, 0.0, -15.5]))
            safety.watch(too_heavy)
            safety.command(target(0.5, 0.0, 0.05), too_heavy)


def test_a_tool_comes_down_slowly_until_it_touches_and_may_press_as_before(full_speed):
    """0.12 m/s at 400 N/m over 60 N s/m are 18 mm. Friction may hold a tool that is slower: 34 mm at half of it."""
    for speed, error in ((0.2, 0.018), (0.12, 0.018), (0.06, 0.034), (0.0, 0.05), (-0.1, 0.05)):
        moving = measured(point_velocity=np.array([0.0, 0.0, -speed]))
        free = references(full_speed, target(0.5, 0.0, 0.0), 100, moving)[-1]
        assert free.position[2] == pytest.approx(0.1 - error)
        assert ("approach" in free.clamped_by) == (speed > 0.0)
    touching = measured(force=np.array([0.0, 0.0, 4.0]))
    assert references(full_speed, target(0.5, 0.0, 0.0), 60, touching)[-1].position[2] == pytest.approx(0.05)
    assert references(full_speed, target(0.5, 0.0, 0.2), 60)[-1].position[2] == pytest.approx(0.15)  # up as before


def test_a_hand_that_was_not_read_lately_stops_the_arm(full_speed):
    full_speed.watch(measured(hand_age=0.29))
    with pytest.raises(Violation, match=r"the hand's state is 0\.31 s old, at most 0\.3 s"):
        full_speed.watch(measured(hand_age=0.31))


@pytest.mark.parametrize(("joint", "offset", "part"), [(1, 0.5, "hand"), (1, 0.6, "wrist")])
def test_hand_and_wrist_are_watched_as_well(full_speed, joint, offset, part):
    """Wherever the tool's own point says that it is."""
    joints = READY + offset * np.eye(7)[joint]
    assert heights(joints, np.array([0.0, 0.0, 0.13]))[part] < -0.01
    with pytest.raises(Violation, match=r"the (hand|wrist|elbow) is at a height of -"):
        full_speed.watch(measured(joint_position=joints))


# --- what an arm feels at rest ----------------------------------------------------------------------------------------


def at_rest(force: tuple[float, float, float], **changes) -> list[Measured]:
    return [measured(force=np.array(force), **changes) for _ in range(50)]


def test_what_an_arm_feels_at_rest_is_taken_as_zero():
    tare = Tare.of(at_rest((0.0, 2.9, -3.9), joint_torque=np.full(7, 0.5)), LIMITS)
    pressed = tare.applied(measured(force=np.array([0.0, 2.9, 4.1]), joint_torque=np.full(7, 1.5)))
    np.testing.assert_allclose(pressed.force, [0.0, 0.0, 8.0], atol=1e-9)
    np.testing.assert_allclose(pressed.joint_torque, 1.0)


@pytest.mark.parametrize(
    ("readings", "message"),
    [
        (at_rest((0.0, 3.0, 5.0)), r"feels 5\.8 N before it touches anything"),
        (at_rest((math.nan, 0.0, 0.0)), "feels nan N"),
        (at_rest((0.0, 0.0, 0.0), joint_torque=np.eye(7)[1] * 4.5), r"joint 2 feels 4\.5 N m before"),
        (at_rest((0.0, 0.0, 0.0), joint_speed=np.eye(7)[2] * 0.1), r"moves at 0\.100 rad/s before"),
        (at_rest((0.0, 0.0, 4.0))[:25] + at_rest((0.0, 0.0, 0.0))[:25], r"varies by 2\.0 N"),
    ],
)
def test_an_arm_that_feels_or_does_what_cannot_be_at_rest_does_not_begin(readings, message):
    with pytest.raises(Violation, match=message):
        Tare.of(readings, LIMITS)


# --- the way home -----------------------------------------------------------------------------------------------------


def test_a_way_home_that_is_free_may_be_gone(contract):
    check_way_home(READY + 0.8 * np.eye(7)[0], contract, LIMITS)


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (READY + 1.15 * np.eye(7)[0], r"0\.076 m outside the workspace along x where the arm stands"),
        (READY + 0.35 * np.eye(7)[1], r"the tool would be at a height of -0\.\d+ m where the arm stands"),
        (READY + 0.99 * np.eye(7)[3] + 0.8 * np.eye(7)[1], "guide the arm by hand"),
        (READY - 0.72 * np.eye(7)[3], r"joint 4 is at -3\.119 rad, -2\.977 to -0\.217 are allowed"),
    ],
)
def test_a_way_home_through_the_table_or_out_of_the_workspace_is_not_begun(contract, joints, message):
    with pytest.raises(Violation, match=message):
        check_way_home(joints, contract, LIMITS)


def test_a_way_home_is_looked_at_in_between(values):
    """From 0.5 rad on one side to 0.5 rad on the other: the tool is 0.44 m in front of the base, and 0.5 in between."""
    values["home"] |= {"fr3_joint1": -0.5, "fr3_joint7": 0.285}
    contract = Contract.from_dict(values)
    start = contract.home_joints * [-1, 1, 1, 1, 1, 1, 1]
    check_way_home(start, contract, LIMITS)
    narrow = replace(LIMITS, workspace_high=(0.45, 0.4, 0.6))
    check_way_home(contract.home_joints, contract, narrow)
    with pytest.raises(Violation, match=r"0\.0\d+ m outside the workspace along x at \d+% of the way home"):
        check_way_home(start, contract, narrow)


def test_a_stiffer_spring_presses_no_harder(values):
    """30 N at 2,000 N/m are 15 mm."""
    values["controller"]["stiffness"][:3] = [2000.0] * 3
    safety = SafetyFilter(LIMITS, Contract.from_dict(values), speed=1.0)
    last = references(safety, target(0.6, 0.0, 0.1), 200)[-1]
    assert last.position[0] - 0.5 == pytest.approx(0.015)


def test_a_moments_contact_may_press_twice_as_hard_as_a_lasting_one(full_speed):
    for _ in range(10):
        full_speed.watch(measured())
    struck = measured(force=np.array([0.0, 0.0, 50.0]))
    for _ in range(5):
        full_speed.watch(struck)
    with pytest.raises(Violation, match=r"30\.0 N is allowed over 0\.05 s"):
        for _ in range(2):
            full_speed.watch(struck)


def test_a_motion_is_bounded_in_time(full_speed):
    full_speed.watch(measured(), motion_time=119.9)
    with pytest.raises(Violation, match=r"the motion lasts 120\.1 s"):
        full_speed.watch(measured(), motion_time=120.1)


@pytest.mark.parametrize(
    "asked",
    [
        target(math.nan, 0.0, 0.1),
        Target(np.array([0.5, 0.0, 0.1]), np.zeros(4)),
        Target(np.array([0.5, 0.0, 0.1]), 2.0 * DOWN),
        Target(np.array([0.5, 0.0, 0.1]), DOWN, finger_opening=math.nan),
        Target(np.array([0.5, 0.0, 0.1]), DOWN, finger_opening=0.2),
    ],
    ids=["no number", "no direction", "no rotation", "no opening", "too wide"],
)
def test_a_target_that_no_arm_can_follow_stops_it(full_speed, asked):
    with pytest.raises(Violation, match="the policy asks for"):
        full_speed.command(asked, measured())


# --- nothing gets past ------------------------------------------------------------------------------------------------

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)
NEAR = st.floats(-1.5, 1.5)


def test_whatever_policy_and_arm_say_no_command_leaves_the_limits(values):
    """12,000 steps, three in a row, of random actions and states, NaN and infinities included."""
    values["action"][0] |= {"width": 4, "yaw_step": 0.3, "yaw_limits": [-0.8, 0.8]}
    grip = {"type": "gripper", "name": "grip", "width": 1, "unit": "m", "open_width": 0.08, "closed_width": 0.035}
    values["action"].append(grip)
    contract = Contract.from_dict(values)
    mapper = ActionMapper(contract)
    outcomes = {"passed": 0, "stopped": 0}

    @settings(max_examples=4_000, deadline=None)
    @given(
        actions=arrays(np.float64, (3, 5), elements=st.one_of(NEAR, ANY), fill=NEAR),
        places=arrays(np.float64, (3, 3), elements=st.one_of(st.floats(-0.05, 0.75), ANY), fill=st.just(0.31)),
        turns=arrays(np.float64, (3,), elements=st.one_of(st.floats(-1.0, 1.0), ANY), fill=st.just(0.0)),
        readings=arrays(np.float64, (3, 28), elements=st.one_of(st.floats(-0.3, 0.3), ANY), fill=st.just(0.0)),
    )
    @example(np.full((3, 5), np.nan), np.full((3, 3), 0.3), np.zeros(3), np.zeros((3, 28)))
    @example(np.full((3, 5), np.inf), np.full((3, 3), 0.3), np.zeros(3), np.zeros((3, 28)))
    def check(actions, places, turns, readings):
        safety, last = SafetyFilter(LIMITS, contract, speed=1.0), None
        for action, place, turn, reading in zip(actions, places, turns, readings, strict=True):
            with np.errstate(all="ignore"):
                hand = multiply(np.array([0.0, 0.0, np.sin(turn / 2), np.cos(turn / 2)]), DOWN)
            arm = measured(
                tool_position=place,
                hand_orientation=hand,
                joint_position=READY + reading[:7],
                joint_speed=reading[7:14],
                force=reading[14:17],
                age=abs(reading[17]),
                joint_torque=50.0 * reading[18:25],
                point_velocity=reading[25:],
            )
            try:
                safety.watch(arm)
                with np.errstate(all="ignore"):
                    asked = mapper.target(action, ArmState(place, np.zeros(3), hand, np.zeros(3)))
                command = safety.command(asked, arm)
            except Violation:
                outcomes["stopped"] += 1
                continue
            outcomes["passed"] += 1
            assert np.isfinite(command.position).all() and np.isfinite(command.orientation).all()
            assert np.linalg.norm(command.orientation) == pytest.approx(1.0)
            assert angle(command.orientation, hand) <= 0.2 + 1e-6
            assert command.finger_opening in (0.08, 0.035)
            assert (command.position >= np.minimum(place, (0.3, -0.3, 0.0)) - 1e-12).all()
            assert (command.position <= np.maximum(place, (0.7, 0.3, 0.3)) + 1e-12).all()
            assert np.linalg.norm(command.position - place) <= 0.05 + 1e-9
            last = place if last is None else last
            error, before = (np.linalg.norm(point - place) for point in (command.position, last))
            assert error <= max(0.0375, before + 0.25 / 200.0) + 1e-9
            assert error <= before + 0.00375 + 1e-9
            last = command.position
            # What was let pass was within its limits.
            assert np.linalg.norm(reading[14:17]) <= 60.0 and abs(reading[17]) <= 0.05
            assert (np.abs(reading[7:14]) <= 0.5 * np.array(JOINT_SPEED)).all()
            assert (np.abs(50.0 * reading[18:25]) <= 2.0 * np.array(LIMITS.max_joint_torque)).all()
            assert np.linalg.norm(reading[25:]) <= 0.5 and place[2] >= -0.01

    check()
    assert min(outcomes.values()) > 1_000, outcomes


# --- the file of limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "changed", "message"),
    [
        ("max_speed = 0.25", "max_speed = 3.5", "max_speed is 3.5; it must be above 0 and at most 3"),
        ("max_force = 30.0", "max_force = nan", "max_force is nan"),
        ("max_force = 30.0", 'max_force = "much"', "max_force is much"),
        ("max_force = 30.0", "max_force = true", "max_force is True"),
        ("max_force = 30.0", "max_force = 1" + 400 * "0", "max_force is 1000"),
        ("max_force = 30.0", "max_force = " + 2000 * "[", "damaged"),
        ("margin = 0.1\n", "margin = 1e-9\n", "joint_margin is 1e-09; it must be at least 0.01"),
        ("max_force = 30.0", "", "missing limits: max_force"),
        ("max_force = 30.0", "max_force = 30.0\nmax_sound = 1", "unknown limits: contact.max_sound"),
        ("low = [0.28, -0.40, -0.05]", "low = [0.28, 0.50, 0.00]", "workspace from 0.5 to 0.4 is empty"),
        ("low = [0.28, -0.40, -0.05]", "low = [0.28, 0.50]", "workspace_low has 3 numbers"),
        ("[25.0, 25.0, 25.0, 25.0, 10.0, 10.0, 10.0]", "25.0", "max_joint_torque has 7 numbers"),
        ("25.0, 10.0, 10.0, 10.0]", "25.0, 10.0, 20.0, 10.0]", "joint 6 is 20.0; it must be above 0 and at most 12"),
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
