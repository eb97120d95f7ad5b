# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A Franka Research 3 behind libfranka, by the client library ``franky``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import franky
import numpy as np

from ..contract import Contract
from ..fr3 import JOINT_HIGH, JOINT_LOW
from ..safety import Command, Measured, SafetyLimits
from ..state import rotate
from .franky_gripper import FrankyGripper
from .franky_setup import FAILURES, connect, first_line, set_up, tool_in_flange
from .homing import Homing
from .interface import AT_REST, ArmError, Snapshot

BRAKE_TIME = 0.2
"""Time in which the spring brings the arm to rest before it is let go, at most [s]."""

LEAD_PERIOD = 0.005
"""How often the reference moves on the way home [s]."""


class FrankyArm:
    """Reads an arm and lets it follow targets like a damped spring.

    The end effector that the arm's own controller knows is set to the contract's tool point, with the axes of the hand,
    so that the spring acts where the policy thinks it does.
    """

    def __init__(
        self, address: str, contract: Contract, limits: SafetyLimits, dry_run: bool = False, recover: bool = False
    ) -> None:
        """Connect, and set everything on the arm that an earlier program may have left there.

        Args:
            address: Of the arm.
            contract: Tool and gains.
            limits: For the way home, and for the arm's own reflex.
            dry_run: Only read the arm. Its tool is then reckoned from its flange; what it feels may hold the weight of
                a tool that it does not know.
            recover: Clear the errors of a reflex first, in which the arm may take no settings.

        Raises:
            ArmError: It does not answer, or not in time.
        """
        if contract.robot != "FR3":
            raise ArmError(f"the policy is for a robot {contract.robot}, this client drives an FR3")
        self._contract = contract
        self._point, self._velocity_point = (
            np.asarray(point) for point in (contract.tool.point, contract.tool.velocity_point)
        )
        self._in_flange = tool_in_flange(contract.tool)
        self._robot = connect(address, limits)
        self._tracker: franky.CartesianImpedanceTracker | None = None
        self._clock, self._clock_went_on = -1.0, time.monotonic()
        self._limits = limits
        self._homing: Homing | None = None
        self._gripper: FrankyGripper | None = None
        self.what_was_set: dict[str, object] = {}
        if recover:
            self.recover()
        try:
            if not dry_run:
                self.what_was_set = set_up(self._robot, contract.tool, limits)
        except FAILURES as error:
            raise ArmError(f"the arm at {address} takes neither tool nor limits: {first_line(error)}") from error
        if contract.gripper is not None:
            try:
                self._gripper = FrankyGripper(address, contract.gripper)
            except FAILURES as error:
                raise ArmError(f"the arm at {address} has no hand: {first_line(error)}") from error

    def snapshot(self) -> Snapshot:
        """Read the arm; see :class:`Arm`."""
        try:
            state = self._robot.state
            jacobian = self._robot.model.zero_jacobian(franky.Frame.Flange, state)
        except FAILURES as error:
            raise ArmError(f"the arm cannot be read: {first_line(error)}") from error
        now, clock = time.monotonic(), state.time.to_sec()
        if clock != self._clock:
            self._clock, self._clock_went_on = clock, now
        # By way of the flange: which tool the arm's own controller knows makes no difference.
        flange = state.O_T_EE * state.F_T_EE.inverse
        pose = flange * self._in_flange
        position, orientation = np.asarray(pose.translation), np.asarray(pose.quaternion)
        twist = np.asarray(jacobian) @ np.asarray(state.dq)
        arm = rotate(orientation, self._velocity_point - self._point)
        point_velocity = twist[:3] + np.cross(twist[3:], position - np.asarray(flange.translation))
        measured = Measured(
            tool_position=position,
            point_velocity=point_velocity,
            hand_orientation=orientation,
            joint_position=np.asarray(state.q),
            joint_speed=np.asarray(state.dq),
            # libfranka: forces that the robot exerts are positive.
            force=-np.asarray(state.O_F_ext_hat_K)[:3],
            joint_torque=np.asarray(state.tau_ext_hat_filtered),
            age=now - self._clock_went_on,
        )
        velocity = point_velocity + np.cross(twist[3:], arm)
        if self._gripper is None:
            return Snapshot(measured, velocity, clock)
        hand = self._gripper.hand
        measured = replace(measured, hand_age=now - hand.time)
        return Snapshot(measured, velocity, clock, hand.opening, hand.is_gripping, self._gripper.take_failure())

    def begin_home(self, speed: float) -> None:
        """Begin to move the joints home; see :class:`Arm`."""
        try:
            self._homing = Homing(self._robot, self._contract.home_joints, self._limits, speed)
        except FAILURES as error:
            raise ArmError(f"the arm does not go home: {first_line(error)}") from error

    def is_home(self, timeout: float) -> bool:
        """Lead the arm on; see :class:`Arm`."""
        if self._homing is None:
            raise ArmError("the arm is not on its way home")
        end = time.monotonic() + timeout
        try:
            while not self._homing.is_over():
                left = end - time.monotonic()
                if left <= 0.0:
                    return False
                time.sleep(min(left, LEAD_PERIOD))
        except FAILURES as error:
            self._homing = None
            raise ArmError(f"the arm stopped on its way home: {first_line(error)}") from error
        return True

    def end_home(self) -> None:
        """Let go of the arm at home; see :class:`Arm`."""
        homing, self._homing = self._homing, None
        try:
            if homing is not None:
                homing.stop()
        except FAILURES as error:
            raise ArmError(f"the arm stopped on its way home: {first_line(error)}") from error

    def follow(self, max_step: float) -> None:
        """Begin to hold the pose that the arm has now, with the contract's gains; see :class:`Arm`."""
        gains = self._contract.controller
        try:
            self._tracker = franky.CartesianImpedanceTracker(
                self._robot,
                gains=franky.CartesianImpedanceGains.diagonal(gains.stiffness, gains.damping),
                translational_error_clip=np.full(3, max_step),
                # The elbow is free: damped, but not held anywhere.
                posture_task=franky.PostureTask(self._robot.state.q, stiffness=0.0, damping=gains.joint_damping),
                lower_joint_limits=np.array(JOINT_LOW),
                upper_joint_limits=np.array(JOINT_HIGH),
            )
        except FAILURES as error:
            raise ArmError(f"the arm does not let itself be led: {first_line(error)}") from error

    def send(self, command: Command) -> None:
        """Set the target; see :class:`Arm`."""
        if self._tracker is None:
            raise ArmError("the arm follows nothing yet")
        if not self._tracker.is_running:
            self.stop()
            raise ArmError("the arm stopped by itself")
        self._tracker.set_target(franky.Affine(command.position.tolist(), command.orientation.tolist()))
        if self._gripper is not None:
            if self._gripper.error is not None:
                raise ArmError(f"the hand failed: {self._gripper.error}")
            if command.finger_opening is not None:
                self._gripper.want(command.finger_opening)

    def hold(self) -> None:
        """Ask for where the arm is now; see :class:`Arm`."""
        try:
            state = self._robot.state
            if self._tracker is not None:
                self._tracker.set_target(state.O_T_EE)
            if self._homing is not None:
                self._homing.hold(np.asarray(state.q))
        except FAILURES as error:
            raise ArmError(f"the arm does not hold: {first_line(error)}") from error

    def stop(self) -> None:
        """Bring the arm to rest: the spring holds it where it is, then torques fade into damping; see :class:`Arm`.

        Raises:
            ArmError: The arm had stopped by itself, for the reason in the message.
        """
        tracker, homing = self._tracker, self._homing
        self._tracker = self._homing = None
        try:
            if tracker is not None:
                try:
                    self._brake(tracker, lambda state: tracker.set_target(state.O_T_EE))
                finally:
                    tracker.stop()
            elif homing is not None:
                try:
                    self._brake(homing, lambda state: homing.hold(np.asarray(state.q)))
                finally:
                    homing.stop()
        except FAILURES as error:
            raise ArmError(f"the arm stopped by itself: {first_line(error)}") from error
        finally:
            if self._gripper is not None:  # after the arm: the hand may take its time to answer
                self._gripper.stop()

    def _brake(self, led: franky.CartesianImpedanceTracker | Homing, hold: Callable[[franky.RobotState], None]) -> None:
        """Let a spring hold the arm where it is at each moment: what pulls is let go, and the damping is left."""
        end = time.monotonic() + BRAKE_TIME
        while led.is_running and time.monotonic() < end:
            state = self._robot.state
            hold(state)
            if np.abs(state.dq).max() < AT_REST:
                return
            time.sleep(0.005)

    def recover(self) -> None:
        """Clear the errors of a reflex; a person has looked at the arm before."""
        try:
            self._robot.recover_from_errors()
        except FAILURES as error:
            raise ArmError(f"the arm does not recover: {first_line(error)}") from error
