# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A log, once more without the arm: does this policy see and say what was logged?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import Contract
from ..observation import ObservationBuilder
from ..state import ArmState, Scene
from ..tasks.board import on_board
from ..tasks.marks import Marks
from .episode import Policy
from .log import LogError, LogReader


@dataclass(frozen=True)
class Replay:
    """How far a policy is from a log."""

    steps: int
    observation_difference: float
    """Largest difference of an observation, built again from the logged readings, from the logged one."""

    action_difference: float
    """Largest difference of an action for the logged observations from the logged one."""

    first_step: int | None
    """First step at which an action differs by more than :obj:`TOLERANCE`."""


TOLERANCE = 1e-5
"""Difference that another processor may make."""


def replay(log: LogReader, policy: Policy, contract: Contract) -> Replay:
    """Run a policy over a log.

    Args:
        log: Of a motion.
        policy: The network.
        contract: Its contract.

    Raises:
        LogError: The log has no step, is damaged, or is of another task.
    """
    if log.start.get("task") != contract.task:
        raise LogError(f"log is of task {log.start.get('task')}, the policy of {contract.task}")
    try:
        return _replay(log, policy, contract)
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, LogError):
            raise
        raise LogError(f"log is damaged: {type(error).__name__}: {error}") from error


def _replay(log: LogReader, policy: Policy, contract: Contract) -> Replay:
    if log.start.get("board_height") is not None:
        contract = on_board(contract, log.start["board_height"])
    builder = ObservationBuilder(contract)
    marks = _marks(log.start["marks"], contract)
    drawn: Marks | None = None
    scene: Scene | None = None
    seen, said, first, steps = 0.0, 0.0, None, 0
    for step in log.lines():
        if step["kind"] == "marks":
            drawn = _marks(step["position"], contract)
        if step["kind"] != "step":
            continue
        arm = _arm(step["reading"]["arm"])
        if scene is None:
            scene = Scene(arm, arm.tool_position)
        elif marks is not None:
            marks.step(arm.tool_position, float(arm.force[2]), 1.0 / contract.rate_hz)
        marks, drawn = drawn or marks, None
        scene.arm, scene.memory = arm, {} if marks is None else {"marks": marks}
        observation = _vector(step["observation"], contract.num_obs)
        # What is no number differs from everything.
        seen = max(seen, _difference(builder.build(scene), observation))
        difference = _difference(policy(observation), _vector(step["action"], contract.num_actions))
        if first is None and difference > TOLERANCE:
            first = step["step"]
        said = max(said, difference)
        steps += 1
    if not steps:
        raise LogError("log has no step")
    return Replay(steps, seen, said, first)


def _vector(values: Any, length: int) -> np.ndarray:
    """Return what was logged as numbers, among them those that JSON has no word for. Shape: (length,)."""
    found = np.asarray(values, dtype=np.float32)
    if found.shape != (length,):
        raise LogError(f"log has a step of {found.shape} numbers, the policy takes or gives {length}")
    return found


def _marks(position: list | None, contract: Contract) -> Marks | None:
    return None if position is None else Marks(np.asarray(position, dtype=float), contract.parameters["marks"])


def _difference(found: np.ndarray, logged: np.ndarray) -> float:
    """Return the largest difference; infinity where one is no number and the other is."""
    difference = np.abs(found - logged)
    return float(np.where(np.isnan(difference), np.inf, difference).max())


def _arm(values: dict[str, Any]) -> ArmState:
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in values.items() if isinstance(value, list)}
    return ArmState(**{**values, **arrays})
