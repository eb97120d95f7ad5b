# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A Franka Research 3 behind libfranka, by the client library ``franky``."""

from __future__ import annotations

import threading
import time

import franky
import numpy as np

from ..contract import Contract, GripperCommand
from ..safety import Command, Measured
from ..state import rotate
from .franky_gripper import Fingers, FrankyGripper
from .interface import ArmError, Snapshot

FLANGE_TO_HAND_YAW = -np.pi / 4
"""The Franka Hand is mounted turned by this about the flange's z axis [rad]. Source: FR3 description."""

FAILURES = (franky.Exception, RuntimeError)
"""What the library raises: its own exceptions, and where its inner thread failed a plain one."""

BRAKE_TIME = 0.2
"""Time in which the spring brings the arm to rest before it is let go, at most [s]."""

AT_REST = 0.02
"""Joint speed below which an arm is at rest [rad/s]."""

TOOL_TIMEOUT = 1.0
"""Time within which the arm's state has to show the tool that was set [s]; a simulated arm takes a few milliseconds."""

CONNECT_TIMEOUT = 5.0
"""Time that connecting may take [s]. A second client of an arm would wait for more than 6 s, and then fail."""


class FrankyArm:
    """Reads an arm and lets it follow targets like a damped spring.

    The end effector that the arm's own controller knows is set to the contract's tool point, with the axes of the hand,
    so that the spring acts where the policy thinks it does.
    """

    def __init__(self, address: str, contract: Contract) -> None:
        """Connect.

        Args:
            address: Of the arm.
            contract: Tool and gains.

        Raises:
            ArmError: It does not answer, or not in time.
        """
        if contract.robot != "FR3":
            raise ArmError(f"the policy is for a robot {contract.robot}, this client drives an FR3")
        self._contract = contract
        self._point, self._velocity_point = (
            np.asarray(point) for point in (contract.tool.point, contract.tool.velocity_point)
        )
        self._robot = _connect(address)
        self._tracker: franky.CartesianImpedanceTracker | None = None
        self._clock, self._clock_went_on = -1.0, time.monotonic()
        self._goes_home = False
        self._gripper: FrankyGripper | None = None
        try:
            hand = franky.Affine(
                self._point.tolist(), [0.0, 0.0, np.sin(FLANGE_TO_HAND_YAW / 2), np.cos(FLANGE_TO_HAND_YAW / 2)]
            )
            nominal = self._robot.state.F_T_NE
            tool = (nominal.inverse * hand).matrix
            self._robot.set_ee(tool.flatten(order="F").tolist())  # libfranka: by columns
            self._wait_for_tool(tool)
        except FAILURES as error:
            raise ArmError(f"the arm at {address} does not take the tool: {_first_line(error)}") from error
        for term in contract.action:
            if isinstance(term, GripperCommand):
                try:
                    self._gripper = FrankyGripper(address, term)
                except FAILURES as error:
                    raise ArmError(f"the arm at {address} has no hand: {_first_line(error)}") from error

    def _wait_for_tool(self, tool: np.ndarray) -> None:
        """Returns once poses are those of the tool.

        The answer to setting a tool can come before the first state that has it, and in that state the pose can still
        be the old one: a policy that began there would see its tool in the wrong place.
        """
        end = time.monotonic() + TOOL_TIMEOUT
        shown_at: float | None = None
        while time.monotonic() < end:
            state = self._robot.state
            clock = state.time.to_sec()
            if shown_at is None and np.allclose(state.NE_T_EE.matrix, tool, atol=1e-6):
                shown_at = clock
            elif shown_at is not None and clock > shown_at:
                return
            time.sleep(0.001)
        raise ArmError(f"the arm took the tool, but its state does not show it within {TOOL_TIMEOUT:g} s")

    def snapshot(self) -> Snapshot:
        """Read the arm; see :class:`Arm`."""
        try:
            state = self._robot.state
        except FAILURES as error:
            raise ArmError(f"the arm cannot be read: {_first_line(error)}") from error
        now, clock = time.monotonic(), state.time.to_sec()
        if clock != self._clock:
            self._clock, self._clock_went_on = clock, now
        pose = state.O_T_EE
        orientation = np.asarray(pose.quaternion)
        jacobian = self._robot.model.zero_jacobian(franky.Frame.EndEffector, state)
        twist = np.asarray(jacobian) @ np.asarray(state.dq)
        arm = rotate(orientation, self._velocity_point - self._point)
        measured = Measured(
            tool_position=np.asarray(pose.translation),
            hand_orientation=orientation,
            joint_position=np.asarray(state.q),
            joint_speed=np.asarray(state.dq),
            # libfranka: forces that the robot exerts are positive.
            force=-np.asarray(state.O_F_ext_hat_K)[:3],
            joint_torque=np.asarray(state.tau_ext_hat_filtered),
            age=now - self._clock_went_on,
        )
        fingers = Fingers(0.0, False) if self._gripper is None else self._gripper.fingers
        velocity = twist[:3] + np.cross(twist[3:], arm)
        return Snapshot(measured, velocity, clock, fingers.opening, fingers.is_gripping)

    def begin_home(self, speed: float) -> None:
        """Begin to move the joints home, with a share of the library's own limits; see :class:`Arm`."""
        home = [self._contract.home[f"fr3_joint{i}"] for i in range(1, 8)]
        try:
            self._robot.relative_dynamics_factor = speed
            self._robot.move(franky.JointMotion(home), asynchronous=True)
        except FAILURES as error:
            raise ArmError(f"the arm does not go home: {_first_line(error)}") from error
        self._goes_home = True

    def is_home(self, timeout: float) -> bool:
        """Wait for the end of the motion; see :class:`Arm`."""
        try:
            has_ended = self._robot.join_motion(timeout)
        except FAILURES as error:
            self._goes_home = False
            raise ArmError(f"the arm stopped on its way home: {_first_line(error)}") from error
        self._goes_home = not has_ended
        return has_ended

    def follow(self, max_step: float) -> None:
        """Begin to hold the pose that the arm has now, with the contract's gains; see :class:`Arm`."""
        gains = self._contract.controller
        try:
            self._tracker = franky.CartesianImpedanceTracker(
                self._robot,
                gains=franky.CartesianImpedanceGains.diagonal(gains.stiffness, gains.damping),
                translational_error_clip=np.full(3, max_step),
            )
        except FAILURES as error:
            raise ArmError(f"the arm does not let itself be led: {_first_line(error)}") from error

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

    def stop(self) -> None:
        """Bring the arm to rest: the spring holds it where it is, then torques fade into damping; see :class:`Arm`.

        Raises:
            ArmError: The arm had stopped by itself, for the reason in the message.
        """
        tracker, self._tracker = self._tracker, None
        if self._gripper is not None:
            self._gripper.stop()
        try:
            if tracker is not None:
                self._brake(tracker)
                tracker.stop()
            elif self._goes_home:
                self._robot.stop()
        except FAILURES as error:
            raise ArmError(f"the arm stopped by itself: {_first_line(error)}") from error

    def _brake(self, tracker: franky.CartesianImpedanceTracker) -> None:
        end = time.monotonic() + BRAKE_TIME
        while tracker.is_running and time.monotonic() < end:
            # Where the arm is now: what pulls is let go, and the damping is left.
            tracker.set_target(self._robot.state.O_T_EE)
            if np.abs(self._robot.state.dq).max() < AT_REST:
                return
            time.sleep(0.005)

    def recover(self) -> None:
        """Clear the errors of a reflex; see :class:`Arm`."""
        try:
            self._robot.recover_from_errors()
        except FAILURES as error:
            raise ArmError(f"the arm does not recover: {_first_line(error)}") from error


def _connect(address: str) -> franky.Robot:
    """Connects in a thread of its own: a call into libfranka cannot be interrupted."""
    result: list[franky.Robot | Exception] = []

    def connect() -> None:
        try:
            result.append(franky.Robot(address, realtime_config=franky.RealtimeConfig.Ignore))
        except Exception as error:
            result.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(CONNECT_TIMEOUT)
    if not result:
        raise ArmError(
            f"no answer from {address} within {CONNECT_TIMEOUT:g} s: is another program connected to the arm?"
        )
    found = result[0]
    if isinstance(found, Exception):
        raise ArmError(f"cannot connect to {address}: {_first_line(found)}")
    return found


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
