# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One motion, from where the arm stands by way of home to the stop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..action import ActionMapper
from ..contract import Contract
from ..guard import GuardedArm, Reading, Stopped, StoppedError
from ..observation import ObservationBuilder
from ..safety import Violation
from ..state import Scene
from ..tasks.strokes import Strokes
from .log import LogError, LogWriter
from .signals import stopped_by_signals

Policy = Callable[[np.ndarray], np.ndarray]

OnStep = Callable[[int, Scene, Reading], None]


@dataclass
class Outcome:
    """What a motion came to."""

    stopped: Stopped | None = None
    phase: str = "waiting"
    """What it did last: ``waiting``, ``going home`` or ``following the policy``."""

    home: dict[str, object] | None = None
    """How long the way home took, and how often the guard looked; None if the arm did not come home."""

    steps: int = 0
    missed: int = 0
    """Answers that came later than the policy's period."""

    wall_time: float = 0.0
    """[s]"""

    inference: list[float] = field(default_factory=list)
    """Time in the network, by step [s]."""

    latency: list[float] = field(default_factory=list)
    """From the reading to the answer, by step [s]."""

    failures: list[str] = field(default_factory=list)
    """What the hand failed to do, in order."""

    tracking_error: list[float] = field(default_factory=list)
    """Distance of the tool from the reference, by step [m]."""

    force: list[float] = field(default_factory=list)
    """Length of the mean force on the tool, by step [N]."""

    def note(self, reading: Reading, thought: float, latency: float) -> None:
        """Count a step."""
        self.steps += 1
        self.missed += reading.missed
        self.inference.append(thought)
        self.latency.append(latency)
        self.force.append(float(np.linalg.norm(reading.arm.force)))
        if reading.hand is not None:
            self.failures.append(reading.hand)
        if reading.reference is not None:
            self.tracking_error.append(float(np.linalg.norm(reading.reference - reading.arm.tool_position)))


@dataclass(frozen=True)
class Episode:
    """A policy that leads an arm home, and then for a number of steps."""

    arm: GuardedArm

    contract: Contract
    policy: Policy
    steps: int
    log: LogWriter
    """Gets every step, and the end."""

    strokes: Strokes | None = None
    """What there is to wipe off, for a policy that does."""

    on_step: OnStep | None = None
    """Called after each answer, while the arm moves: be quick."""

    before: Callable[[], None] | None = None
    """Called before anything moves, as to wait for the dead-man key; it has to return once a stop was asked for."""

    def run(self) -> Outcome:
        """Run it, and stop the arm however it ends.

        Returns:
            What it came to; ``stopped`` says whether it ended as it was to.

        Raises:
            MissingStateError: The policy needs something that nobody measures.
            BaseException: Whatever else came up, after the arm was stopped.
        """
        outcome, start = Outcome(), time.monotonic()
        with stopped_by_signals(self.arm):
            try:
                self._go_home(outcome)
                self._lead(outcome, start)
                stopped = self.arm.stop(f"{self.steps} steps are done", is_regular=True)
            except StoppedError as over:
                stopped = over.stopped
            except (Violation, LogError) as error:
                stopped = self.arm.stop(str(error))
            except KeyboardInterrupt:
                stopped = self.arm.stop("interrupted from the keyboard")
            except BaseException as error:
                self._log_end(outcome, self.arm.stop(f"{type(error).__name__}: {error}"), start)
                raise
            self._log_end(outcome, stopped, start)
        return outcome

    def _log_end(self, outcome: Outcome, stopped: Stopped, start: float) -> None:
        outcome.stopped, outcome.wall_time = stopped, time.monotonic() - start
        with contextlib.suppress(LogError):  # a full disk has been told as the reason
            self.log.write(
                "end",
                **{"stopped": stopped, "phase": outcome.phase, "steps": outcome.steps, "missed": outcome.missed},
                **{"wall_time": outcome.wall_time, "hand": outcome.failures, "home": outcome.home},
            )

    def _go_home(self, outcome: Outcome) -> None:
        if self.before is not None:
            self.before()
        outcome.phase = "going home"
        began = time.monotonic()
        outcome.home = {**self.arm.go_home(), "seconds": time.monotonic() - began}
        outcome.phase = "following the policy"

    def _lead(self, outcome: Outcome, start: float) -> None:
        builder, mapper = ObservationBuilder(self.contract), ActionMapper(self.contract)
        reading = self.arm.follow()
        scene = Scene(reading.arm, reading.arm.tool_position)
        if self.strokes is not None:
            scene.memory["marks"] = self.strokes.now
        for step in range(self.steps):
            drawn = None if self.strokes is None else self.strokes.next_at(step)
            if drawn is not None:
                scene.memory["marks"] = drawn
                self.log.write("marks", step=step, position=drawn.position)
            observation = builder.build(scene)
            wrong = builder.out_of_range(observation)
            if wrong:
                self.log.write("refused", step=step, reading=reading, observation=observation)
                raise Violation(f"the policy would see {', '.join(wrong)} outside the contract's range")
            asked = time.monotonic()
            action = np.asarray(self.policy(observation))
            thought = time.monotonic() - asked
            if not np.isfinite(action).all():
                self.log.write("refused", step=step, reading=reading, observation=observation, action=action)
                raise Violation(f"the policy says {action.tolist()}")
            target = mapper.target(action, scene.arm)
            self.arm.answer(target)
            latency = time.monotonic() - reading.time
            outcome.note(reading, thought, latency)
            self.log.write(
                "step",
                **{"step": step, "time": reading.time - start, "reading": reading, "observation": observation},
                **{"action": action, "target": target, "inference": thought, "latency": latency},
            )
            if self.on_step is not None:
                self.on_step(step, scene, reading)
            reading = self.arm.read()
            scene.arm = reading.arm
            if self.strokes is not None:
                self.strokes.now.step(scene.arm.tool_position, float(scene.arm.force[2]), 1.0 / self.contract.rate_hz)
