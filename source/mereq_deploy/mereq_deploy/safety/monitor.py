# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What stops the arm: a reading that is beyond its limit, for a moment or for a while."""

from __future__ import annotations

from collections import deque
from dataclasses import fields
from typing import Any

import numpy as np

from ..contract import Contract
from ..fr3 import JOINT_HIGH, JOINT_LOW, JOINT_SPEED, heights
from .limits import SafetyLimits
from .measured import Measured, Violation

CONTACT_TIME = 0.05
"""Time over which force and torque are averaged for the limits of lasting contact [s]."""

SPEED_TIME = 0.1
"""Time over which the speeds of tool and joints are averaged for the limit of lasting speed [s]."""

SPEED_FACTOR, LEAST_STOP_SPEED = 2.0, 0.03
"""How many times its commanded speed a tool may have for a while, and what it may have at any [m/s]: a held joint that
slips moves the tool by a few centimetres a second."""

HOME_ARM = 1.0
"""Distance of a tool from the joint that moves it, about the reach of the arm and a tool [m]."""

TOOL_ARM = 0.25
"""Least distance of a tool from the joint that moves it [m]: a joint turns at most so much faster than the tool moves.
Source: ours; :obj:`LEAST_STOP_TURN` allows for joints that are nearer."""

LEAST_STOP_TURN = 0.15
"""What a joint may have for a while at any speed [rad/s]: a held joint that slips."""

WRONG_WAY_TIME = 0.25
"""Time for which a force may point where the arm pulls [s]: what a tool touches pushes back."""

WRONG_WAY_FORCE, WRONG_WAY_ERROR, WRONG_WAY_COSINE = 5.0, 0.01, 0.8
"""From which force [N], distance to the reference [m] and cosine between both that is looked at."""

GRAVITY = 9.81
"""[m/s²]"""


def check_age(measured: Measured, limits: SafetyLimits) -> None:
    """Refuse a reading that says how the arm was, and not how it is.

    Raises:
        Violation: The arm's state or that of its hand is too old.
    """
    if measured.age > limits.max_state_age:
        raise Violation(f"the arm's state is {measured.age:.3f} s old, at most {limits.max_state_age} s is allowed")
    if measured.hand_age > limits.max_hand_age:
        raise Violation(
            f"the hand's state is {measured.hand_age:.2f} s old, at most {limits.max_hand_age} s is allowed"
        )


def _lasting(readings: deque[Any]) -> np.ndarray:
    """Return the mean of readings of one shape, which are numbers or arrays; zeros until there are enough."""
    mean = np.mean(readings, axis=0)
    return mean if len(readings) == readings.maxlen else np.zeros_like(mean)


class Monitor:
    """Holds the limits of a motion, and the readings that they are compared with."""

    def __init__(self, limits: SafetyLimits, contract: Contract, share: float, period: float) -> None:
        """Begin a motion.

        Args:
            limits: The limits.
            contract: Of the policy: its workspace, and what its hand may carry.
            share: Share of the largest speed, in (0, 1].
            period: Time between two looks [s].
        """
        step = contract.tool_step
        self.limits, self._period = limits, period
        self.low = np.maximum(limits.workspace_low, step.workspace_low)
        self.high = np.minimum(limits.workspace_high, step.workspace_high)
        self.lasting_speed = max(SPEED_FACTOR * share * limits.max_speed, LEAST_STOP_SPEED)
        self.stop_speed = max(self.lasting_speed, limits.stop_speed)
        self.home_speed = max(SPEED_FACTOR * share * limits.home_speed * HOME_ARM, self.stop_speed)
        turn = share * (limits.max_speed / TOOL_ARM + limits.max_turn_rate)
        self.lasting_turn = max(SPEED_FACTOR * turn, LEAST_STOP_TURN)
        """Speed that a joint may have for a while [rad/s]: the tool's point may stand while hand or elbow turn."""
        self.stop_turn = max(self.lasting_turn, limits.stop_speed / TOOL_ARM)
        self.home_turn = max(SPEED_FACTOR * share * limits.home_speed, LEAST_STOP_TURN)
        self._point = np.asarray(contract.tool.point)
        self._carried = 0.0 if contract.gripper is None else limits.max_payload * GRAVITY
        self._contacts: deque[np.ndarray] = deque(maxlen=max(1, round(CONTACT_TIME / period)))
        self._speeds: deque[float] = deque(maxlen=max(1, round(SPEED_TIME / period)))
        self._turns: deque[np.ndarray] = deque(maxlen=max(1, round(SPEED_TIME / period)))
        self._wrong_way_looks = 0

    def watch(
        self, measured: Measured, reference: np.ndarray | None, motion_time: float = 0.0, is_going_home: bool = False
    ) -> None:
        """Look at the arm alone.

        Args:
            measured: The arm.
            reference: Where the tool is asked to be [m], if it is asked. Shape: (3,)
            motion_time: How long the motion has lasted [s].
            is_going_home: Whether the joints go home: the tool is then bound by the safety layer's workspace, not by
                the policy's, and moves as fast as the joints take it.

        Raises:
            Violation: Something is beyond its limit, or not a number.
        """
        limits = self.limits
        for reading in fields(measured):
            value = getattr(measured, reading.name)
            if not np.isfinite(value).all():
                raise Violation(f"the arm reports {reading.name.replace('_', ' ')} {value}")
        if abs(np.linalg.norm(measured.hand_orientation) - 1.0) > 1e-3:
            raise Violation(f"the arm reports hand orientation {measured.hand_orientation}, which is no rotation")
        check_age(measured, limits)
        if motion_time > limits.max_motion:
            raise Violation(f"the motion lasts {motion_time:.1f} s, at most {limits.max_motion} s is allowed")
        self._watch_contact(measured, reference)
        self._watch_place(measured, is_going_home)
        self._watch_speed(measured, is_going_home)
        self._watch_turns(measured, is_going_home)
        for joint, position in enumerate(measured.joint_position):
            low, high = JOINT_LOW[joint] + limits.joint_margin, JOINT_HIGH[joint] - limits.joint_margin
            if not low <= position <= high:
                raise Violation(f"joint {joint + 1} is at {position:.3f} rad, {low:.3f} to {high:.3f} are allowed")

    def _watch_place(self, measured: Measured, is_going_home: bool) -> None:
        limits = self.limits
        low, high = (limits.workspace_low, limits.workspace_high) if is_going_home else (self.low, self.high)
        outside = np.maximum(low - measured.tool_position, measured.tool_position - high)
        for part, height in {
            **heights(measured.joint_position, self._point),
            "tool": float(measured.tool_position[2]),
        }.items():
            if height < limits.lowest:
                raise Violation(f"the {part} is at a height of {height:.3f} m, at least {limits.lowest:g} m is allowed")
        if outside.max() > limits.workspace_margin:
            axis = "xyz"[int(outside.argmax())]
            raise Violation(
                f"tool is {outside.max():.3f} m outside the workspace along {axis}, at most"
                f" {limits.workspace_margin} m is allowed"
            )

    def _watch_speed(self, measured: Measured, is_going_home: bool) -> None:
        """Compare the tool's speed with what was commanded; on the way home that is the joints' speeds."""
        speed = float(np.linalg.norm(measured.point_velocity))
        self._speeds.append(speed)
        lasting = float(_lasting(self._speeds))
        at_once = self.home_speed if is_going_home else self.stop_speed
        for_a_while = self.home_speed if is_going_home else self.lasting_speed
        if speed > at_once:
            raise Violation(f"the tool moves at {speed:.2f} m/s, at most {at_once:.2f} are allowed")
        if lasting > for_a_while:
            raise Violation(
                f"the tool moves at {lasting:.3f} m/s over {SPEED_TIME} s, at most {for_a_while:.3f} are allowed"
            )

    def _watch_turns(self, measured: Measured, is_going_home: bool) -> None:
        """Compare the joints' speeds with what was commanded: hand and elbow can turn while the tool's point stands."""
        self._turns.append(np.abs(measured.joint_speed))
        at_once = self.home_turn if is_going_home else self.stop_turn
        for_a_while = self.home_turn if is_going_home else self.lasting_turn
        for turns, most, when in (
            (self._turns[-1], at_once, ""),
            (_lasting(self._turns), for_a_while, f" over {SPEED_TIME} s"),
        ):
            allowed = np.minimum(most, self.limits.velocity_share * np.asarray(JOINT_SPEED))
            joint = int((turns / allowed).argmax())
            if turns[joint] > allowed[joint]:
                raise Violation(
                    f"joint {joint + 1} moves at {turns[joint]:.2f} rad/s{when}, at most {allowed[joint]:.2f} are"
                    " allowed"
                )

    def _watch_contact(self, measured: Measured, reference: np.ndarray | None) -> None:
        """Compare force and torque with their limits, as they are and as they were for a while."""
        limits = self.limits
        self._contacts.append(np.append(measured.force, measured.joint_torque))
        for values, factor, when in (
            (self._contacts[-1], limits.peak_factor, "for a moment"),
            (np.mean(self._contacts, axis=0), 1.0, f"over {CONTACT_TIME} s"),
        ):
            force, torques = float(np.linalg.norm(values[:3])), np.abs(values[3:])
            if force > factor * limits.max_force:
                raise Violation(
                    f"force on the tool is {force:.1f} N, at most {factor * limits.max_force} N is allowed {when}"
                )
            joint = int((torques / limits.max_joint_torque).argmax())
            if torques[joint] > factor * limits.max_joint_torque[joint]:
                raise Violation(
                    f"external torque on joint {joint + 1} is {torques[joint]:.1f} N m, at most"
                    f" {factor * limits.max_joint_torque[joint]} are allowed {when}"
                )
        if self._points_where_it_pulls(measured, reference):
            raise Violation(
                f"a force of {np.linalg.norm(measured.force):.1f} N on the tool points where the arm pulls:"
                " somebody pulls it along, or the sign of the force is wrong"
            )

    def _points_where_it_pulls(self, measured: Measured, reference: np.ndarray | None) -> bool:
        """Return whether force and pull have had the same direction for a while.

        The weight of what a hand carries points down wherever the arm pulls: it does not count.
        """
        if reference is None:
            return False
        felt = measured.force + np.array([0.0, 0.0, min(self._carried, max(0.0, -float(measured.force[2])))])
        pull = reference - measured.tool_position
        distance, force = float(np.linalg.norm(pull)), float(np.linalg.norm(felt))
        is_alike = (
            distance > WRONG_WAY_ERROR
            and force > WRONG_WAY_FORCE
            and float(pull @ felt) > WRONG_WAY_COSINE * distance * force
        )
        self._wrong_way_looks = self._wrong_way_looks + 1 if is_alike else 0
        return self._wrong_way_looks * self._period > WRONG_WAY_TIME
