# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What an arm has to know before it moves: connecting, its tool, its limits, its reflex."""

from __future__ import annotations

import threading
import time

import franky
import numpy as np

from ..contract import Tool
from ..fr3 import FLANGE_TO_HAND_YAW
from ..safety import SafetyLimits
from .interface import ArmError

FAILURES = (franky.Exception, RuntimeError)
"""What the library raises: its own exceptions, and where its inner thread failed a plain one."""

CONNECT_TIMEOUT = 5.0
"""Time that connecting may take [s]. A second client of an arm would wait for more than 6 s, and then fail."""

TOOL_TIMEOUT = 1.0
"""Time within which the arm's state has to show what was set [s]; a simulated arm takes a few milliseconds."""

POINT_INERTIA = 1e-6
"""Of a tool, which is small beside its distance from the joints [kg m²]."""

JOINT_IMPEDANCE = (3000.0, 3000.0, 3000.0, 2500.0, 2500.0, 2000.0, 2000.0)
"""Of the arm's own controller, which does not act while this program leads the arm [N m/rad]. Source: libfranka's
examples."""

CARTESIAN_IMPEDANCE = (3000.0, 3000.0, 3000.0, 300.0, 300.0, 300.0)
"""The same [N/m, N m/rad]. Source: libfranka's examples."""

REFLEX_TORQUE = 25.0
"""External torque about the tool at which the arm's own reflex stops it [N m]. Source: libfranka's examples."""


def connect(address: str, limits: SafetyLimits) -> franky.Robot:
    """Connect in a thread of its own: a call into libfranka cannot be interrupted.

    The client library sets the levels of the arm's own reflex when it connects, and cannot be told not to: it is given
    those of the safety layer's limits, which even a dry run so writes.

    Raises:
        ArmError: The arm does not answer, or not in time.
    """
    result: list[franky.Robot | Exception] = []

    def run() -> None:
        try:
            robot = franky.Robot(
                address,
                default_torque_threshold=limits.peak_factor * min(limits.max_joint_torque),
                default_force_threshold=limits.peak_factor * limits.max_force,
                realtime_config=franky.RealtimeConfig.Ignore,
            )
            result.append(robot)
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


def tool_in_flange(tool: Tool) -> franky.Affine:
    """Return where the tool's point is, with the axes of the hand, as the flange sees it."""
    return franky.Affine([0.0, 0.0, 0.0], _hand_turn()) * franky.Affine(list(tool.point))


def _hand_turn() -> list[float]:
    return [0.0, 0.0, float(np.sin(FLANGE_TO_HAND_YAW / 2)), float(np.cos(FLANGE_TO_HAND_YAW / 2))]


def set_up(robot: franky.Robot, tool: Tool, limits: SafetyLimits) -> dict[str, object]:
    """Set all that an earlier program may have left on the arm, whatever it is now: load, frames, impedance, reflex.

    Args:
        robot: The arm, at rest.
        tool: What it holds; the hand itself is known to the arm.
        limits: For its reflex, a second line: the guard stops earlier where contact lasts.

    Returns:
        What the arm now says of itself, for the log.

    Raises:
        ArmError: Its state does not show what was set in time.
    """
    # An empty hand is a load of 0 kg at no distance: what is not sent stays as it was.
    held = list(tool.velocity_point) if tool.mass > 0.0 else [0.0, 0.0, 0.0]
    centre = (franky.Affine([0.0, 0.0, 0.0], _hand_turn()) * franky.Affine(held)).translation
    inertia = np.eye(3) * (POINT_INERTIA if tool.mass > 0.0 else 0.0)
    robot.set_load(tool.mass, centre.tolist(), inertia.flatten().tolist())
    placed = (robot.state.F_T_NE.inverse * tool_in_flange(tool)).matrix
    robot.set_ee(placed.flatten(order="F").tolist())  # libfranka: by columns
    robot.set_k(np.eye(4).flatten().tolist())
    robot.set_joint_impedance(list(JOINT_IMPEDANCE))
    robot.set_cartesian_impedance(list(CARTESIAN_IMPEDANCE))
    torque = [limits.peak_factor * value for value in limits.max_joint_torque]
    force = [limits.peak_factor * limits.max_force] * 3 + [limits.peak_factor * REFLEX_TORQUE] * 3
    robot.set_collision_behavior(torque, force)
    state = _read_back(robot, tool.mass, centre, placed)
    return {
        "load_kg": state.m_load,
        "load_centre_m": np.asarray(state.F_x_Cload),
        "tool_in_nominal_end_effector": state.NE_T_EE.matrix,
        "hand_kg": state.m_ee,
        # The arm does not report these two.
        "reflex_torque_nm": torque,
        "reflex_force_n": force,
    }


def _read_back(robot: franky.Robot, mass: float, centre: np.ndarray, placed: np.ndarray) -> franky.RobotState:
    """Wait until the arm's state shows load and frames, and poses are those of the tool.

    The answer to setting a tool can come before the first state that has it, and in that state the pose can still be
    the old one: a policy that began there would see its tool in the wrong place.
    """
    end = time.monotonic() + TOOL_TIMEOUT
    shown_at: float | None = None
    missing: list[str] = []
    while time.monotonic() < end:
        state = robot.state
        clock = state.time.to_sec()
        shown = {
            "load": abs(state.m_load - mass) < 1e-4,
            "centre of the load": mass == 0.0 or np.allclose(state.F_x_Cload, centre, atol=1e-4),
            "tool": np.allclose(state.NE_T_EE.matrix, placed, atol=1e-6),
            "frame of its stiffness": np.allclose(state.EE_T_K.matrix, np.eye(4), atol=1e-6),
        }
        missing = [name for name, is_shown in shown.items() if not is_shown]
        if missing:
            shown_at = None
        elif shown_at is None:
            shown_at = clock
        elif clock > shown_at:
            return state
        time.sleep(0.001)
    raise ArmError(
        f"the arm does not show what was set within {TOOL_TIMEOUT:g} s: {', '.join(missing) or 'its clock stands'}"
    )


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name."""
    return (str(error).splitlines() or [type(error).__name__])[0]
