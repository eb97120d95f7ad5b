# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The guard's own process: client and safety layer, and what becomes of the arm when something fails."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np

from ..action import Target
from ..arm import AT_REST, Arm, ArmError, Snapshot
from ..contract import Contract, ContractError
from ..safety import CONTROL_RATE_HZ, Measured, SafetyFilter, SafetyLimits, Tare, Violation, check_way_home
from ..safety.monitor import check_age
from .exchange import Exchange
from .links import Links, StopAsked
from .looks import CALL_WATCHDOG, STOP_WATCHDOG, Looks, LookTimes
from .messages import Busy, Done, Follow, GoHome, Refused, Settings, Stop, Stopped

PERIOD = 1.0 / CONTROL_RATE_HZ

REST_TIMEOUT = 2.0
"""Time to wait for an arm to be at rest [s]."""

SETTLING_TIME = 1.0
"""Time in which an arm that was handed over may settle before it is weighed [s]."""

REST_LOOKS = 50
"""Looks at an arm at rest before it moves: a quarter of a second."""

HOME_TOLERANCE = 0.05
"""How far a joint may be from home when the arm has come there [rad]. Dry friction of the simulated arm leaves 0.01."""

CALL_TIMEOUT = 2.0
"""Time that a call to the client may go on after a stop was asked for [s]."""

ORDER_PERIOD = 0.1
"""How often a guard without orders looks whether it was asked to end [s]."""

_asked_to_end = threading.Event()
"""Set by a signal. Looked at, not raised: an exception could come in the middle of a stop."""


class Connect(Protocol):
    """Makes the client; a dry run's client writes nothing to the arm."""

    def __call__(
        self, address: str, contract: Contract, limits: SafetyLimits, dry_run: bool = False, recover: bool = False
    ) -> Arm:
        """Connect."""
        ...


def guard(
    link: Connection,
    keyboard: Connection | None,
    connect: Connect,
    address: str,
    contract: dict[str, Any],
    limits: SafetyLimits,
    settings: Settings,
) -> None:
    """Guard an arm until the policy's process ends or lets go.

    Args:
        link: To the policy's process.
        keyboard: To the process that watches the keys, if there is one.
        connect: Makes the client.
        address: Of the arm.
        contract: Of the policy, as :meth:`Contract.to_dict` has it.
        limits: The safety layer's.
        settings: The rest.
    """
    # Ctrl-C, Ctrl-Z and a terminal that closes reach every process of the terminal. The guard leaves the terminal, and
    # hears from the other two what they mean.
    if os.getpid() != os.getsid(0):
        os.setsid()
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: _asked_to_end.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        read = Contract.from_dict(contract)
        # A client that knows neither is still good for motions.
        special = {name: True for name in ("dry_run", "recover") if getattr(settings, name)}
        arm = connect(address, read, limits, **special)
    except (ArmError, ContractError) as error:
        with contextlib.suppress(OSError):  # whoever started this has gone
            link.send(Refused(str(error)))
        return
    links = Links(link, keyboard, settings.needs_hold)
    with contextlib.suppress(OSError):
        links.say(Done({"set_on_arm": arm.what_was_set}))
    # Collecting garbage may take longer than a period.
    gc.collect()
    gc.freeze()
    Guard(links, arm, read, limits, settings).serve()


class Guard:
    """Does what the policy's process asks for, inside the limits."""

    def __init__(self, links: Links, arm: Arm, contract: Contract, limits: SafetyLimits, settings: Settings) -> None:
        """Hold what :func:`guard` made."""
        self._links, self._arm, self._contract, self._limits, self._settings = links, arm, contract, limits, settings
        self._last: Measured | None = None
        self._looks = Looks()
        self._tare = Tare.none()
        self._call: threading.Thread | None = None
        """The client's call that took its time last."""

    def serve(self) -> None:
        """Take orders until a motion is over, the other process is gone, or the arm refuses."""
        while True:
            if not self._links.wait(ORDER_PERIOD):
                if _asked_to_end.is_set():
                    return
                continue
            try:
                orders = self._links.orders()
            except StopAsked as asked:  # of an arm that does not move
                stop = asked.stop
                self._links.confirm_stop(stop.reason)
                self._tell(Stopped(stop.reason, stop.since, stop.since, stop.since, stop.is_regular))
                return
            except (EOFError, OSError):
                return
            for order in orders:
                motion = {GoHome: self._home, Follow: self._follow}[type(order)]
                over = self._moving(motion)
                self._looks.end()
                if not self._tell(over or Done({"looks": LookTimes.of(self._looks.gaps)})) or over is not None:
                    return

    def _tell(self, message: object) -> bool:
        """Say something; returns whether the other process is there. If it is not, the arm is at rest all the same."""
        with contextlib.suppress(OSError):
            self._links.say(message)
            return True
        return False

    def _moving(self, motion: Callable[[], None]) -> Stopped | None:
        """Run a motion; whatever ends it early brings the arm to rest."""
        self._looks.begin()
        self._links.begin_motion()
        try:
            motion()
        except StopAsked as asked:
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
        with self._looks.waiting(CALL_WATCHDOG):
            try:
                if not self._settings.dry_run:
                    self._arm.hold()
            except Exception as error:
                notes.append(str(error))
        # Only now: whoever hears that the stop is commanded does not end this process any more.
        self._links.confirm_stop(reason)
        with self._looks.waiting():
            try:
                if self._call is not None:
                    self._call.join(CALL_TIMEOUT)  # a motion that it begins is to be stopped as well
                if not self._settings.dry_run:
                    self._arm.stop()
            except Exception as error:
                notes.append(str(error))
            at_rest = self._at_rest()
        self._looks.end()
        looks = LookTimes.of(self._looks.gaps)
        return Stopped(reason, cause, commanded, at_rest, is_regular, by_arm, tuple(notes), self._last, looks)

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

    def _with_arm(self, call: Callable[[], None]) -> None:
        """Let the client do what takes its time, in a thread, and hear meanwhile.

        Raises:
            StopAsked: A stop has come; :meth:`_stop` waits for the thread.
            ArmError: It takes too long.
        """
        failures: list[Exception] = []

        def run() -> None:
            try:
                call()
            except Exception as error:
                failures.append(error)

        self._links.say(Busy(CALL_WATCHDOG))
        self._call, end = threading.Thread(target=run, daemon=True), time.monotonic() + STOP_WATCHDOG
        with self._looks.waiting(CALL_WATCHDOG):
            self._call.start()
            while self._call.is_alive():
                self._call.join(PERIOD)
                self._looks.wait_on(CALL_WATCHDOG)
                self._hear(time.monotonic())
                if time.monotonic() > end:
                    raise ArmError(f"the arm did not answer within {STOP_WATCHDOG:g} s")
        if failures:
            raise failures[0]

    def _hear(self, now: float) -> list[object]:
        """Hear those who take part, and tell that the guard is there; returns targets.

        Raises:
            StopAsked: A stop has come.
            Violation: There is no sign of life.
        """
        if _asked_to_end.is_set():
            raise StopAsked(Stop("the guard was asked to end", now))
        orders = self._links.orders()
        self._links.check_signs()
        self._links.beat(now)
        return orders

    def _look(self) -> tuple[Snapshot, float, list[object]]:
        """Look at the arm and at who takes part; returns the arm, less what it feels at rest, the time and targets.

        Raises:
            StopAsked: A stop has come.
            Violation: The look before was too long ago, or there is no sign of life.
        """
        now = self._looks.look()
        orders = self._hear(now)
        snapshot = self._arm.snapshot()
        self._last = self._tare.applied(snapshot.measured)
        return replace(snapshot, measured=self._last), now, orders

    def _measure_rest(self) -> None:
        """Take as zero what the arm feels where it stands, if that is little.

        Raises:
            Violation: It moves, or feels too much for an arm that touches nothing.
        """
        self._tare = Tare.none()
        end = time.monotonic() + SETTLING_TIME
        while np.abs(self._look_anew().joint_speed).max() > AT_REST and time.monotonic() < end:
            time.sleep(PERIOD)
        readings = []
        for _ in range(REST_LOOKS):
            readings.append(self._look_anew())
            time.sleep(PERIOD)
        try:
            self._tare = Tare.of(readings, self._limits)
        except Violation:
            if not self._settings.dry_run:  # whose arm may not know its tool, and does not move
                raise

    def _look_anew(self) -> Measured:
        """Look at the arm; returns what it says of itself now.

        Raises:
            StopAsked: A stop has come.
            Violation: As :meth:`_look`, or the reading is old: the arm would seem to rest, and to feel nothing.
        """
        measured = self._look()[0].measured
        check_age(measured, self._limits)
        return measured

    def _home(self) -> None:
        self._measure_rest()
        if self._settings.dry_run:
            return
        safety, home = self._safety(), self._contract.home_joints
        assert self._last is not None
        check_way_home(self._last.joint_position, self._contract, self._limits, self._settings.board_height)
        self._with_arm(partial(self._arm.begin_home, self._settings.speed))
        start = time.monotonic()
        # Waiting for the end of the motion takes the period.
        while not self._arm.is_home(PERIOD):
            snapshot, now, _ = self._look()
            safety.watch(snapshot.measured, now - start, is_going_home=True)
        self._with_arm(self._arm.end_home)
        left = np.abs(self._look()[0].measured.joint_position - home)
        if left.max() > HOME_TOLERANCE:
            raise Violation(
                f"the arm did not come home: joint {int(left.argmax()) + 1} is {left.max():.3f} rad from there,"
                f" at most {HOME_TOLERANCE} rad is allowed; is something in the way?"
            )

    def _follow(self) -> None:
        self._measure_rest()
        safety = self._safety()
        if not self._settings.dry_run:
            self._with_arm(partial(self._arm.follow, safety.max_step))
        exchange = Exchange(self._links, self._contract.rate_hz, self._limits.max_policy_time)
        start = due = time.monotonic()
        while True:
            snapshot, now, orders = self._look()
            safety.watch(snapshot.measured, now - start)
            for order in orders:
                if isinstance(order, Target):
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
