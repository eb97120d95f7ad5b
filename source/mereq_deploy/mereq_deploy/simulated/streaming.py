# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Commands to an arm that aborts what an FR3 would abort: does it let itself be led, and how closely does it follow?

What is streamed is what a policy streams: a target at its rate, through the guard and the client.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..contract import Contract, ToolStep
from ..guard import GuardedArm, Reading
from ..guard.messages import Settings
from ..runtime import Episode, LogWriter
from ..safety import SafetyLimits
from ..state import Scene

RADIUS, PERIOD = 0.02, 4.0
"""Of the circle that the tool is led along, level above the table: 4 cm wide [m], once around in so long [s]."""


@dataclass(frozen=True)
class Streamed:
    """What came of it. Lengths in metres."""

    is_whole: bool
    """Whether the motion lasted until its end."""

    reason: str
    """Why it ended."""

    steps: int
    missed: int
    """Deadlines; see :obj:`~mereq_deploy.guard.loop.DEADLINE`."""

    error_rms: float
    """Distance from the circle's point at the time, root mean square after the first turn."""

    error_most: float


class CirclePolicy:
    """Asks for the point of the circle at which the tool is to be in one step."""

    def __init__(self, contract: Contract) -> None:
        """Hold the rate and the size of a step."""
        (self._step,) = (term for term in contract.action if isinstance(term, ToolStep))
        self._num_actions, self._dt = contract.num_actions, 1.0 / contract.rate_hz
        self._tool: np.ndarray | None = None
        self._centre = np.zeros(3)
        self._steps = 0
        self.errors: list[float] = []

    def watch(self, step: int, scene: Scene, reading: Reading) -> None:
        """Take in where the tool is."""
        if self._tool is None:
            self._centre = scene.arm.tool_position - self._on_circle(0)
        self._tool = scene.arm.tool_position
        self.errors.append(float(np.linalg.norm(self._centre + self._on_circle(step) - self._tool)))

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return an action. Shapes: (num_obs,) and (num_actions,)."""
        self._steps += 1
        action = np.zeros(self._num_actions)
        if self._tool is not None:
            wanted = self._centre + self._on_circle(self._steps)
            action[:3] = (wanted - self._tool) / np.asarray(self._step.step_size)
        return action

    def _on_circle(self, step: int) -> np.ndarray:
        angle = 2.0 * np.pi * step * self._dt / PERIOD
        return RADIUS * np.array([np.cos(angle), np.sin(angle), 0.0])


def stream(address: str, contract: Contract, limits: SafetyLimits, seconds: float, log_file: Path) -> Streamed:
    """Send an arm home and lead it along a circle.

    Args:
        address: Of the arm.
        contract: Of a policy that moves a tool: rate, gains, tool and home are used.
        limits: The safety layer's.
        seconds: How long.
        log_file: Where the log goes.
    """
    contract = free_of_the_task(contract)
    policy = CirclePolicy(contract)
    arm = GuardedArm(address, contract, limits, Settings(speed=1.0))
    with LogWriter(log_file) as log, contextlib.closing(arm):
        log.write("start", task=contract.task, marks=None)
        steps = round(seconds * contract.rate_hz)
        outcome = Episode(arm, contract, policy, steps, log, on_step=policy.watch).run()
    assert outcome.stopped is not None
    settled = np.array(policy.errors[round(PERIOD * contract.rate_hz) :] or [np.nan])
    return Streamed(
        outcome.stopped.is_regular and not outcome.stopped.notes,
        "; ".join([outcome.stopped.reason, *outcome.stopped.notes]),
        outcome.steps,
        outcome.missed,
        float(np.sqrt(np.mean(settled**2))),
        float(settled.max()),
    )


def free_of_the_task(contract: Contract) -> Contract:
    """Return a contract whose policy sees nothing but the tool, in a workspace that has room for any pose.

    The strict controller reports the pose of another link, so places are off by a hand's breadth.
    """
    kept = [term for term in contract.observation if term.kind in ("tool_position", "tool_velocity")]
    wide = [replace(term, low=[-99.0] * term.width, high=[99.0] * term.width) for term in kept]
    action = [
        replace(term, workspace_low=[0.28, -0.4, 0.0], workspace_high=[0.75, 0.4, 0.6])
        for term in contract.action
        if isinstance(term, ToolStep)
    ]
    return replace(contract, observation=wide, action=action, parameters={})


@contextlib.contextmanager
def busy(num_processes: int) -> Iterator[None]:
    """Keep so many processor cores busy, with ordinary priority."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_burn, daemon=True) for _ in range(num_processes)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _burn() -> None:
    # A process inherits the priority of what starts it, and with realtime priority this one would stop the machine.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    while True:
        sum(range(10_000))
