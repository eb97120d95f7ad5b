# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The guard's own process: client and safety layer, and what becomes of the arm when something fails."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from ..action import Target
from ..arm import AT_REST, Arm, ArmError, Snapshot
from ..contract import Contract
from ..safety import CONTROL_RATE_HZ, Measured, SafetyFilter, SafetyLimits, Violation
from ..state import ArmState
from .messages import Done, Follow, GoHome, Reading, Refused, Settings, Stop, Stopped

PERIOD = 1.0 / CONTROL_RATE_HZ

REST_TIMEOUT = 1.0
"""Time to wait for an arm to be at rest [s]."""

DEADLINE = 0.5
"""Share of the policy's period within which its answer has to be here, from the moment at which the reading was due.
The simulated arm has it at once; a share counts what the policy's process, the guard and the machine are late."""

ORDER_PERIOD = 0.1
"""How often a guard without orders looks whether it was asked to end [s]."""

Connect = Callable[[str, Contract, SafetyLimits], Arm]

_asked_to_end = threading.Event()
"""Set by a signal. Looked at, not raised: an exception could come in the middle of a stop."""


class _StopAsked(Exception):
    """The policy's process asks for a stop."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.reason)
        self.stop = stop


def guard(
    link: Connection,
    connect: Connect,
    address: str,
    contract: dict[str, Any],
    limits: SafetyLimits,
    settings: Settings,
) -> None:
    """Guard an arm until the policy's process ends or lets go.

    Args:
        link: To the policy's process.
        connect: Makes the client.
        address: Of the arm.
        contract: Of the policy, as :meth:`Contract.to_dict` has it.
        limits: The safety layer's.
        settings: The rest.
    """
    # Ctrl-C, Ctrl-Z and a terminal that closes reach every process of the terminal. What they mean is the policy's
    # process's to decide; the guard leaves the terminal, and hears of it when the other stops answering.
    if os.getpid() != os.getsid(0):
        os.setsid()
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: _asked_to_end.set())
    try:
        arm = connect(address, Contract.from_dict(contract), limits)
        if settings.recover:
            arm.recover()
    except ArmError as error:
        link.send(Refused(str(error)))
        return
    link.send(Done())
    # Collecting garbage may take longer than a period.
    gc.collect()
    gc.freeze()
    Guard(link, arm, Contract.from_dict(contract), limits, settings).serve()


class Guard:
    """Does what the policy's process asks for, inside the limits."""

    def __init__(
        self, link: Connection, arm: Arm, contract: Contract, limits: SafetyLimits, settings: Settings
    ) -> None:
        """Hold what :func:`guard` got."""
        self._link, self._arm, self._contract, self._limits, self._settings = link, arm, contract, limits, settings
        self._last: Measured | None = None

    def serve(self) -> None:
        """Take orders until a motion is over, the other process is gone, or the arm refuses."""
        while True:
            try:
                if not self._link.poll(ORDER_PERIOD):
                    if _asked_to_end.is_set():
                        return
                    continue
                order = self._link.recv()
            except (EOFError, OSError):
                return
            if isinstance(order, GoHome):
                over = self._moving(self._home)
            elif isinstance(order, Follow):
                over = self._moving(self._follow)
            else:  # a stop of an arm that does not move
                over = Stopped(order.reason, order.since, order.since, order.since, order.is_regular)
            try:
                self._link.send(over or Done())
            except OSError:  # the other process is gone, and the arm is at rest
                return
            if over is not None:
                return

    def _moving(self, motion: Callable[[], None]) -> Stopped | None:
        """Run a motion; whatever ends it early brings the arm to rest."""
        try:
            motion()
        except _StopAsked as asked:
            return self._stop(asked.stop.reason, asked.stop.since, asked.stop.is_regular)
        except (EOFError, OSError):
            return self._stop("the policy's process is gone", time.monotonic())
        except Violation as violation:
            return self._stop(str(violation), time.monotonic())
        except ArmError as error:
            return self._stop(str(error), time.monotonic(), by_arm=True)
        except Exception as error:  # whatever else it is, the arm must not go on
            return self._stop(f"the guard failed: {type(error).__name__}: {error}", time.monotonic())
        return None

    def _stop(self, reason: str, cause: float, is_regular: bool = False, by_arm: bool = False) -> Stopped:
        commanded, notes = time.monotonic(), []
        try:
            if not self._settings.dry_run:
                self._arm.stop()
        except Exception as error:
            notes.append(str(error))
        return Stopped(reason, cause, commanded, self._at_rest(), is_regular, by_arm, tuple(notes), self._last)

    def _at_rest(self) -> float | None:
        started = time.monotonic()
        while time.monotonic() < started + REST_TIMEOUT:
            try:
                measured = self._arm.snapshot().measured
            except ArmError:
                return None
            if measured.age < self._limits.max_state_age and np.abs(measured.joint_speed).max() < AT_REST:
                return time.monotonic()
            time.sleep(PERIOD)
        return None

    def _home(self) -> None:
        if self._settings.dry_run:
            return
        safety = self._safety()
        self._arm.begin_home(self._settings.speed)
        start = time.monotonic()
        # Waiting for the end of the motion takes the period.
        while not self._arm.is_home(PERIOD):
            self._read_orders()
            # On its way home an arm may come from anywhere.
            self._last = self._arm.snapshot().measured
            safety.watch(self._last, time.monotonic() - start, in_workspace=False)

    def _follow(self) -> None:
        safety = self._safety()
        self._last = self._arm.snapshot().measured
        safety.watch_start(self._last)
        if not self._settings.dry_run:
            self._arm.follow(safety.max_step)
        exchange = Exchange(self._link, self._contract.rate_hz, self._limits.max_policy_time)
        start = due = time.monotonic()
        while True:
            snapshot = self._arm.snapshot()
            now = time.monotonic()
            self._last = snapshot.measured
            safety.watch(snapshot.measured, now - start)
            for order in self._read_orders():
                exchange.answer(order, now)
            exchange.look(snapshot, now)
            if exchange.target is not None:
                command = safety.command(exchange.target, snapshot.measured)
                if not self._settings.dry_run:
                    self._arm.send(command)
                exchange.sent(command.position, command.clamped_by)
            due = max(due + PERIOD, now)  # what was missed is not made up for
            time.sleep(max(0.0, due - time.monotonic()))

    def _safety(self) -> SafetyFilter:
        return SafetyFilter(self._limits, self._contract, self._settings.speed)

    def _read_orders(self) -> list[Target]:
        """Return the targets that have come.

        Raises:
            _StopAsked: A stop has come.
            EOFError: The other process is gone.
        """
        if _asked_to_end.is_set():
            raise _StopAsked(Stop("the guard was asked to end", time.monotonic()))
        targets = []
        while self._link.poll():
            order = self._link.recv()
            if isinstance(order, Stop):
                raise _StopAsked(order)
            targets.append(order)
        return targets


class Exchange:
    """Readings to the policy at its rate, and its answers, in time."""

    def __init__(self, link: Connection, rate_hz: float, max_policy_time: float) -> None:
        """Begin with a reading at once."""
        self._link, self._period, self._max_policy_time = link, 1.0 / rate_hz, max_policy_time
        self.target: Target | None = None
        self._next = self._due = time.monotonic()
        self._asked: float | None = None
        self._missed = False
        self._forces: list[np.ndarray] = []
        self._reference: np.ndarray | None = None
        self._clamped_by: dict[str, None] = {}

    def answer(self, target: Target, now: float) -> None:
        """Take what the policy answered."""
        if self._asked is not None:
            self._missed = now - self._due > DEADLINE * self._period
        self.target, self._asked = target, None

    def look(self, snapshot: Snapshot, now: float) -> None:
        """Take what was read; pass it on when it is time.

        Raises:
            Violation: The policy takes too long.
        """
        self._forces.append(snapshot.measured.force)
        if self._asked is not None:
            if now - self._asked > self._max_policy_time:
                raise Violation(
                    f"the policy has not answered for {now - self._asked:.3f} s, at most {self._max_policy_time} s are"
                    " allowed"
                )
        elif now >= self._next:
            measured = snapshot.measured
            arm = ArmState(
                measured.tool_position,
                snapshot.tool_velocity,
                measured.hand_orientation,
                np.mean(self._forces, axis=0),
                snapshot.finger_opening,
                snapshot.is_gripping,
            )
            clamped_by = tuple(self._clamped_by)
            self._link.send(Reading(now, snapshot.clock, arm, measured, self._reference, clamped_by, self._missed))
            self._asked, self._missed, self._forces, self._clamped_by = now, False, [], {}
            self._due = self._next
            self._next = max(self._next + self._period, now)

    def sent(self, reference: np.ndarray, clamped_by: tuple[str, ...]) -> None:
        """Remember what was commanded, for the next reading."""
        self._reference = reference
        self._clamped_by.update(dict.fromkeys(clamped_by))
