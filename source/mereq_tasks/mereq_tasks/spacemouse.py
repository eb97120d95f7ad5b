# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A 3Dconnexion SpaceMouse on this machine, by Isaac Lab's driver, as hands for live supervision."""

from __future__ import annotations

from typing import Any

from .arguments import TaskUsageError

DEAD_ZONE = 0.05
"""Share of the full deflection that is nothing: the cap does not come back to zero by itself."""


class SpaceMouse:
    """The right button takes the robot over and gives it back, the left one closes and opens the gripper."""

    def __init__(self) -> None:
        """Find the device.

        Raises:
            TaskUsageError: There is none, or it may not be read.
        """
        from isaaclab.devices.spacemouse import Se3SpaceMouse, Se3SpaceMouseCfg

        try:
            self._device = Se3SpaceMouse(Se3SpaceMouseCfg(pos_sensitivity=1.0, rot_sensitivity=1.0))
        except OSError as error:
            raise TaskUsageError(f"no SpaceMouse: {' '.join(str(error).split())}") from error
        self._is_held = self._is_gripper_pressed = False
        self._gripper = "keep"
        self._device.add_callback("R", self._toggle)
        self._device.add_callback("L", self._press)

    def _toggle(self) -> None:
        self._is_held = not self._is_held
        self._gripper = "keep"

    def _press(self) -> None:
        self._is_gripper_pressed = True

    def release(self) -> None:
        """Forgets that the robot is held."""
        self._is_held = self._is_gripper_pressed = False
        self._gripper = "keep"

    def read(self, is_closed: bool) -> dict[str, Any]:
        """Returns what the hand does now, by the names of :class:`mereq_lab.live.Control`'s fields.

        Args:
            is_closed: Whether the robot's fingers were told to close last; the left button asks for the other thing.
        """
        if not self._device._thread.is_alive():  # it was unplugged; the last deflection would stay for ever
            self.release()
            return {"engaged": False, "axes": (0.0, 0.0, 0.0, 0.0), "gripper": "keep"}
        if self._is_gripper_pressed and self._is_held:
            self._gripper = "open" if is_closed else "close"
        self._is_gripper_pressed = False
        x, y, z, _, _, yaw, _ = self._device.advance().tolist()
        forward, left, up, turn = (0.0 if abs(value) < DEAD_ZONE else value for value in (x, y, z, yaw))
        axes = tuple(min(max(value, -1.0), 1.0) for value in (forward, left, up, turn))
        return {"engaged": self._is_held, "axes": axes, "gripper": self._gripper}
