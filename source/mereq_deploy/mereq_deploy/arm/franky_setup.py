# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What an arm has to know before it moves: connecting, its tool, its limits, its reflex."""

from __future__ import annotations

import threading
import time

import franky
import numpy as np

from ..contract import Tool
from ..safety import SafetyLimits
from .interface import ArmError

FLANGE_TO_HAND_YAW = -np.pi / 4
"""The Franka Hand is mounted turned by this about the flange's z axis [rad]. Source: FR3 description."""

FAILURES = (franky.Exception, RuntimeError)
"""What the library raises: its own exceptions, and where its inner thread failed a plain one."""

CONNECT_TIMEOUT = 5.0
"""Time that connecting may take [s]. A second client of an arm would wait for more than 6 s, and then fail."""

TOOL_TIMEOUT = 1.0
"""Time within which the arm's state has to show the tool that was set [s]; a simulated arm takes a few milliseconds."""

REFLEX_TORQUE = 25.0
"""External torque about the tool at which the arm's own reflex stops it [N m]. Source: libfranka's examples."""


def connect(address: str) -> franky.Robot:
    """Connect in a thread of its own: a call into libfranka cannot be interrupted.

    Raises:
        ArmError: The arm does not answer, or not in time.
    """
    result: list[franky.Robot | Exception] = []

    def run() -> None:
        try:
            result.append(franky.Robot(address, realtime_config=franky.RealtimeConfig.Ignore))
        except Exception as error:
            result.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(CONNECT_TIMEOUT)
    if not result:
        raise ArmError(
            f"no answer from {address} within {CONNECT_TIMEOUT:g} s: is another program connected to the arm?"
        )
    found = result[0]
    if isinstance(found, Exception):
        raise ArmError(f"cannot connect to {address}: {first_line(found)}")
    return found


def set_tool(robot: franky.Robot, tool: Tool) -> None:
    """Tell the arm where its end effector is, with the axes of the hand, and what it weighs.

    Raises:
        ArmError: Its state does not show the tool in time.
    """
    turn = [0.0, 0.0, np.sin(FLANGE_TO_HAND_YAW / 2), np.cos(FLANGE_TO_HAND_YAW / 2)]
    if tool.mass > 0.0:
        # The hand itself is known to the arm. A tool is small beside its distance from the joints: a point.
        centre = franky.Affine([0.0, 0.0, 0.0], turn) * franky.Affine(list(tool.velocity_point))
        robot.set_load(tool.mass, centre.translation.tolist(), (1e-6 * np.eye(3)).flatten().tolist())
    placed = (robot.state.F_T_NE.inverse * franky.Affine(list(tool.point), turn)).matrix
    robot.set_ee(placed.flatten(order="F").tolist())  # libfranka: by columns
    _wait_for_tool(robot, placed)


def _wait_for_tool(robot: franky.Robot, placed: np.ndarray) -> None:
    """Returns once poses are those of the tool.

    The answer to setting a tool can come before the first state that has it, and in that state the pose can still be
    the old one: a policy that began there would see its tool in the wrong place.
    """
    end = time.monotonic() + TOOL_TIMEOUT
    shown_at: float | None = None
    while time.monotonic() < end:
        state = robot.state
        clock = state.time.to_sec()
        if shown_at is None and np.allclose(state.NE_T_EE.matrix, placed, atol=1e-6):
            shown_at = clock
        elif shown_at is not None and clock > shown_at:
            return
        time.sleep(0.001)
    raise ArmError(f"the arm took the tool, but its state does not show it within {TOOL_TIMEOUT:g} s")


def set_reflex(robot: franky.Robot, limits: SafetyLimits) -> None:
    """Set when the arm's own reflex stops it. It is a second line: the guard stops earlier where contact lasts."""
    torque = [limits.peak_factor * value for value in limits.max_joint_torque]
    force = [limits.peak_factor * limits.max_force] * 3 + [limits.peak_factor * REFLEX_TORQUE] * 3
    robot.set_collision_behavior(torque, force)


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name."""
    return (str(error).splitlines() or [type(error).__name__])[0]
