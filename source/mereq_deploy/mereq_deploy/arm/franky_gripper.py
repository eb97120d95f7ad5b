# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The Franka Hand, whose calls take as long as the fingers move, from a thread of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import franky

from ..contract import GripperCommand
from .franky_setup import FAILURES, first_line

SPEED = 0.1
"""Of each finger [m/s]: the data sheet's most is 0.1."""

FORCE = 20.0
"""With which the fingers hold what is between them [N]; the hand can do 70 for a while."""


EMPTY = 0.002
"""How much less than closed the fingers may be apart with something between them [m]."""

STOP_TIMEOUT = 0.1
"""Time that the last reading of the hand may take when it is to stop [s]."""


@dataclass(frozen=True)
class Hand:
    """The hand at one moment."""

    opening: float
    """Distance between the fingertips [m]."""

    is_gripping: bool

    time: float
    """When it was read, on this machine's monotonic clock [s]."""


class FrankyGripper:
    """Opens and closes the hand as last asked, and knows how it stands and what failed."""

    def __init__(self, address: str, command: GripperCommand) -> None:
        """Connect.

        Args:
            address: Of the arm.
            command: How wide open and closed are.

        Raises:
            franky.Exception: There is no hand.
        """
        self._gripper = franky.Gripper(address)
        self._command = command
        self._wanted: float | None = None
        self._done: float | None = None
        self._moving: franky.BoolFuture | None = None
        self._ended = threading.Event()
        self._failure: str | None = None
        self.error: str | None = None
        """Why the hand cannot be used any more."""
        self.hand = self._read()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def want(self, opening: float) -> None:
        """Ask for an opening [m]: the contract's open or closed width."""
        self._wanted = opening

    def take_failure(self) -> str | None:
        """Return once what the hand failed to do, as to grip something; the arm may go on."""
        failure, self._failure = self._failure, None
        return failure

    def stop(self) -> None:
        """Ask for nothing more: fingers that move stop, and what the hand holds it goes on holding.

        A hand that does not answer is left alone: the arm is at rest, and :attr:`error` says so.
        """
        self._ended.set()
        self._thread.join(STOP_TIMEOUT)
        try:
            if self._moving is not None and not self._moving.wait(0.0):
                self._gripper.stop()
        except FAILURES as error:
            self.error = first_line(error)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.hand = self._read()
                if self._moving is not None and self._moving.wait(0.0):
                    is_done = self._moving.get()  # raises what the hand reported
                    closes = self._done == self._command.closed_width
                    if not is_done or (closes and not self.hand.is_gripping):
                        self._failure = self._what_failed()
                    self._moving = None
                wanted = self._wanted
                if wanted is not None and wanted != self._done and self._moving is None:
                    self._moving, self._done = self._move(wanted), wanted
            except FAILURES as error:
                self.error = first_line(error)
                return

    def _move(self, opening: float) -> franky.BoolFuture:
        if opening == self._command.closed_width:
            # Closed around something is any width up to open.
            return self._gripper.grasp_async(0.0, SPEED, FORCE, epsilon_outer=self._command.open_width)
        return self._gripper.move_async(opening, SPEED)

    def _what_failed(self) -> str:
        what = "grip anything" if self._done == self._command.closed_width else "open"
        return f"the hand did not {what}: its fingers are {self.hand.opening:.3f} m apart"

    def _read(self) -> Hand:
        state = self._gripper.state
        # The hand counts any width as a grasp; fingers that are closer than closed have nothing between them.
        is_gripping = state.is_grasped and state.width > self._command.closed_width - EMPTY
        return Hand(state.width, is_gripping, time.monotonic())
