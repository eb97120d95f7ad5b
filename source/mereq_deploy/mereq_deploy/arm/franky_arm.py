# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A Franka Research 3 behind libfranka, by the client library ``franky``."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import franky
import numpy as np

from ..contract import Contract
from ..safety import Command, Measured
from ..state import rotate

FLANGE_TO_HAND_YAW = -np.pi / 4
"""The Franka Hand is mounted turned by this about the flange's z axis [rad]. Source: FR3 description."""

CONNECT_TIMEOUT = 5.0
"""Time that connecting may take [s]. A second client of an arm would wait for more than 6 s, and then fail."""


class ArmError(ValueError):
    """The arm cannot be reached or refuses. The message is one line."""


@dataclass(frozen=True)
class Snapshot:
    """The arm at one moment."""

    measured: Measured
    """What the safety layer looks at; its ``age`` is the time since the arm's own clock last went on."""

    tool_velocity: np.ndarray
    """Velocity of the contract's ``velocity_point``. Shape: (3,) [m/s]"""

    clock: float
    """The arm's own clock [s]."""


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
        self._contract = contract
        self._point, self._velocity_point = (
            np.asarray(point) for point in (contract.tool.point, contract.tool.velocity_point)
        )
        self._robot = _connect(address)
        self._tracker: franky.CartesianImpedanceTracker | None = None
        self._clock, self._clock_went_on = -1.0, time.monotonic()
        self._force_sign = -1.0
        try:
            hand = franky.Affine(
                self._point.tolist(), [0.0, 0.0, np.sin(FLANGE_TO_HAND_YAW / 2), np.cos(FLANGE_TO_HAND_YAW / 2)]
            )
            nominal = self._robot.state.F_T_NE
            self._robot.set_ee((nominal.inverse * hand).matrix.flatten(order="F").tolist())  # libfranka: by columns
        except franky.Exception as error:
            raise ArmError(f"the arm at {address} does not take the tool: {_first_line(error)}") from error

    def snapshot(self) -> Snapshot:
        """Read the arm."""
        state = self._robot.state
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
            force=self._force_sign * np.asarray(state.O_F_ext_hat_K)[:3],
            joint_torque=np.asarray(state.tau_ext_hat_filtered),
            age=now - self._clock_went_on,
        )
        return Snapshot(measured, twist[:3] + np.cross(twist[3:], arm), clock)

    def go_home(self, speed: float, max_duration: float = 30.0) -> None:
        """Move the joints to the contract's home pose and wait.

        Args:
            speed: Share of the library's own limits.
            max_duration: Time that it may take [s].

        Raises:
            ArmError: The arm refuses, or does not get there in time.
        """
        home = [self._contract.home[f"fr3_joint{i}"] for i in range(1, 8)]
        try:
            self._robot.relative_dynamics_factor = speed
            self._robot.move(franky.JointMotion(home), asynchronous=True)
            if not self._robot.join_motion(max_duration):
                self._robot.stop()
                raise ArmError(f"the arm is not home after {max_duration} s")
        except franky.Exception as error:
            raise ArmError(f"the arm does not go home: {_first_line(error)}") from error

    def follow(self, max_step: float) -> None:
        """Begin to hold the pose that the arm has now, with the contract's gains.

        Args:
            max_step: Distance beyond which a target pulls no harder [m].
        """
        gains = self._contract.controller
        self._tracker = franky.CartesianImpedanceTracker(
            self._robot,
            gains=franky.CartesianImpedanceGains.diagonal(gains.stiffness, gains.damping),
            translational_error_clip=np.full(3, max_step),
        )

    def send(self, command: Command) -> None:
        """Set the target. Only a command of the safety layer gets here."""
        if self._tracker is None:
            raise ArmError("the arm follows nothing yet")
        self._tracker.set_target(franky.Affine(command.position.tolist(), command.orientation.tolist()))

    @property
    def is_following(self) -> bool:
        """Whether the arm is under our control."""
        return self._tracker is not None and self._tracker.is_running

    def stop(self) -> None:
        """Bring the arm to rest: torques fade into damping alone.

        Raises:
            ArmError: The arm had stopped by itself, for the reason in the message.
        """
        tracker, self._tracker = self._tracker, None
        if tracker is None:
            return
        try:
            tracker.stop()
        except franky.Exception as error:
            raise ArmError(f"the arm stopped by itself: {_first_line(error)}") from error

    def recover(self) -> None:
        """Clear the errors of a reflex; a person has looked at the arm before."""
        self._robot.recover_from_errors()


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
