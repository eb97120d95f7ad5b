# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether the way home is free of the table and stays in the workspace, before the arm begins to go there."""

from __future__ import annotations

import numpy as np

from ..contract import Contract
from ..fr3 import JOINT_HIGH, JOINT_LOW, frames, heights, in_hand
from .limits import SafetyLimits
from .measured import Violation

STEP = 0.02
"""Of the joint that has furthest to go, between two looks at the way [rad]: the hand moves by less than 2 cm."""

SAG = 0.01
"""How far below its way a part may come, since a spring leads it [m]."""


BOARD_MARGIN = 0.01
"""How far into a board's surface the tool may be that stands on it [m]."""


def check_way_home(
    start: np.ndarray, contract: Contract, limits: SafetyLimits, board_height: float | None = None
) -> None:
    """Look at the whole way, which all joints go along a straight line.

    Args:
        start: Where the joints are [rad]. Shape: (7,)
        contract: Home, and the tool.
        limits: Workspace of the tool's point, and the height below which nothing may come.
        board_height: Of a board's surface [m]: neither may anything come below that.

    Raises:
        Violation: A joint is beyond its limits, the tool leaves the workspace, or the tool, the hand, the wrist or the
            elbow comes too low. The message says which, where, and what to do.
    """
    home, point = contract.home_joints, np.asarray(contract.tool.point)
    low, high = np.asarray(JOINT_LOW) + limits.joint_margin, np.asarray(JOINT_HIGH) - limits.joint_margin
    for what, joints in (("is", start), ("is at home", home)):
        beyond = np.maximum(low - joints, joints - high)
        joint = int(beyond.argmax())
        if not beyond[joint] <= 0.0:
            raise Violation(
                f"joint {joint + 1} {what} at {joints[joint]:.3f} rad, {low[joint]:.3f} to {high[joint]:.3f} are"
                " allowed"
            )
    lowest = limits.lowest
    if board_height is not None:
        lowest = max(lowest, board_height - BOARD_MARGIN - SAG)
    num_steps = 1 + int(np.ceil(np.abs(home - start).max() / STEP))
    for share in np.linspace(0.0, 1.0, num_steps + 1):
        joints = start + share * (home - start)
        where = "where the arm stands" if share == 0.0 else f"at {share:.0%} of the way home"
        advice = "guide the arm by hand to a place from which the way is free, and start again"
        for part, height in heights(joints, point).items():
            if height - SAG < lowest:
                raise Violation(
                    f"the {part} would be at a height of {height:.3f} m {where}, at least"
                    f" {lowest + SAG:.3f} m is allowed: {advice}"
                )
        place = in_hand(frames(joints)[8], point)
        outside = np.maximum(np.asarray(limits.workspace_low) - place, place - np.asarray(limits.workspace_high))
        if outside.max() > limits.workspace_margin:
            axis = "xyz"[int(outside.argmax())]
            raise Violation(
                f"the tool would be {outside.max():.3f} m outside the workspace along {axis} {where}, at most"
                f" {limits.workspace_margin} m is allowed: {advice}"
            )
