# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a person sees of a motion."""

from __future__ import annotations

import numpy as np

from .contract import Contract
from .guard import Reading
from .plain_text import say
from .runtime import Outcome
from .runtime.episode import OnStep
from .state import Scene
from .tasks.strokes import Strokes


def progress(contract: Contract, is_dry_run: bool) -> OnStep:
    """Return what prints a line a second."""
    each = max(1, round(contract.rate_hz))

    def show(step: int, scene: Scene, reading: Reading) -> None:
        if step % each:
            return
        place = ", ".join(f"{number:6.3f}" for number in scene.arm.tool_position)
        line = f"{step / contract.rate_hz:5.0f} s  tool at ({place}) m  force {np.linalg.norm(scene.arm.force):5.1f} N"
        if is_dry_run and reading.reference is not None:
            line += "  would ask for (" + ", ".join(f"{number:6.3f}" for number in reading.reference) + ") m"
        if "marks" in scene.memory:
            line += f"  ink removed {scene.memory['marks'].ink_removed:4.0%}"
        say(line)

    return show


def summary(outcome: Outcome, strokes: Strokes | None) -> str:
    """Return what a motion came to, a figure a line."""
    rows = [("steps", f"{outcome.steps}")]
    if outcome.steps:
        inference, latency = np.array(outcome.inference), np.array(outcome.latency)
        rows += [
            ("missed deadlines", f"{outcome.missed}"),
            ("time in the network", f"{inference.sum() / outcome.wall_time:.1%}"),
            ("from reading to answer", _spread(latency * 1e3, "ms")),
            ("force on the tool", _spread(np.array(outcome.force), "N")),
        ]
    if outcome.tracking_error:
        rows.append(("distance to what was asked", _spread(np.array(outcome.tracking_error) * 1e3, "mm")))
    if outcome.failures:
        rows.append(("the hand failed", f"{len(outcome.failures)} times; the last: {outcome.failures[-1]}"))
    if outcome.stopped is not None and outcome.stopped.looks is not None:
        looks = outcome.stopped.looks
        rows.append(("guard's looks at the arm", f"every {looks.median * 1e3:.1f}, most {looks.longest * 1e3:.1f} ms"))
    if strokes is not None:
        if strokes.num_strokes > 1:
            rows.append(("strokes", f"{strokes.num_strokes}"))
        rows.append(("ink removed", f"{strokes.ink_removed:.0%}"))
        rows.append(("time over the force limit", f"{strokes.over_force_limit:.1%}"))
    return "\n".join(f"{name:<28}{value}" for name, value in rows)


def _spread(values: np.ndarray, unit: str) -> str:
    return f"median {np.median(values):.1f}, 95 % {np.quantile(values, 0.95):.1f}, most {values.max():.1f} {unit}"
