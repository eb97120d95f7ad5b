# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Measures whether live supervision keeps time: missed deadlines, and how long it takes from the hands to the robot.

Examples:
    ./isaaclab.sh -p scripts/tools/benchmark_live.py --task Franka-Erase
    ./isaaclab.sh -p scripts/tools/benchmark_live.py --task Franka-Erase --beside-learner

A program stands for the person's browser: it speaks as the page does, takes over again and again, holds the tool still,
then pulls it up and waits until it is seen to move. It runs on the same machine.

With ``--beside-learner`` it supervises the first round of ``train_mereq.py``, whose robots run beside the one that is
watched; without, ``supervise.py``, which learns nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from mereq_lab.plain_console import PlainConsole
from mereq_lab.program import one_line_errors
from mereq_lab.provenance import script_command
from mereq_tasks.arguments import TaskUsageError, check_home, check_name, task_names

CONTROL_S = 0.033
"""Between two messages of the page's hands [s]."""

MOVED = 1e-3
"""Way of the tool from which it counts as moved [m]."""


HOLD_EVERY, STEPS_AT_REST = 20, 12
"""The robot is held for some steps, until it rests, before it is moved, and that again and again."""


class Hands:
    """Says what the hands do as often as the page does."""

    def __init__(self, socket: Connection) -> None:
        self._socket = socket
        self._axes: list[float] | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def pull(self, axes: list[float] | None) -> None:
        """Holds the robot and moves it, or lets go."""
        self._axes = axes

    def _run(self) -> None:
        with contextlib.suppress(Exception):  # the connection ends when the measurement does
            while True:
                message = {"type": "control", "engaged": self._axes is not None, "axes": self._axes or [0.0] * 4}
                self._socket.send(json.dumps(message))
                time.sleep(CONTROL_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="Franka-Erase", help="id of the task (default: Franka-Erase)")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the measurement (default: 30)")
    parser.add_argument("--beside-learner", action="store_true", help="measure a run that learns, in its first round")
    args = parser.parse_args()
    check_name("task", args.task, task_names())
    check_home()
    if args.seconds < 5.0:
        raise TaskUsageError(f"seconds is {args.seconds:g}; at least 5 are needed")

    with (
        supervision(args.task, args.beside_learner) as url,
        connect(url.replace("http", "ws") + "control", proxy=None) as socket,
    ):
        busy, missed, delays = measure(socket, args.seconds)
    busy_ms, delays_ms = 1e3 * np.array(busy), 1e3 * np.array(delays)
    console = PlainConsole(highlight=False, soft_wrap=True)
    console.print(f"{args.task}: {len(busy_ms)} steps, {missed} of them late")
    console.print(f"a step [ms]: median {np.median(busy_ms):.0f}, 95 % {np.quantile(busy_ms, 0.95):.0f}")
    console.print(
        f"from the hands to a tool that is seen to have moved by {1e3 * MOVED:g} mm [ms], {len(delays_ms)} times:"
        f" median {np.median(delays_ms):.0f}, 95 % {np.quantile(delays_ms, 0.95):.0f}, longest {delays_ms.max():.0f}"
    )


@contextlib.contextmanager
def supervision(task: str, beside_learner: bool) -> Iterator[str]:
    """Starts what is to be measured, and yields the page's link."""
    with tempfile.TemporaryDirectory() as folder:
        if beside_learner:
            command = [*script_command("train_mereq.py"), "--person", "browser", "--no-video", "--logs", folder]
            command += ["agent.num_supervised=20"]  # episodes enough for the measurement
        else:
            command = [*script_command("supervise.py"), "--episodes", "1000", "--recordings", folder]
        command += ["--task", task, "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            line = next((line for line in process.stdout if "supervise at:" in line), None)
            if line is None:
                raise TaskUsageError(f"the supervision did not begin: exit status {process.wait()}")
            yield line.split()[-1]
        finally:
            process.terminate()
            process.wait()


def measure(socket: Connection, seconds: float) -> tuple[list[float], int, list[float]]:
    """Supervises for a while.

    Returns:
        Duration of each step [s], how many were late, and the delays from hands to tool [s].
    """
    socket.send(json.dumps({"type": "hello", "person": "benchmark", "key": "benchmark"}))
    socket.send(json.dumps({"type": "seat", "robot": 0}))
    hands = Hands(socket)
    steps = states(socket)
    for _, state in itertools.islice(steps, 40):  # what is new to the machine takes longer
        first = state
    end = time.monotonic() + seconds
    busy, delays = [], []
    pulled_at, where = None, np.zeros(3)
    for now, state in steps:
        own = state["own"]
        busy.append(state["busy_ms"] / 1e3)
        tool = np.array(own["tool"])
        is_held_since = HOLD_EVERY - own["step"] % HOLD_EVERY
        if pulled_at is None and is_held_since == STEPS_AT_REST:
            hands.pull([0.0] * 4)
        elif pulled_at is None and is_held_since == 1 and own["in_control"]:
            # Somewhere between two steps, as people do.
            time.sleep(random.uniform(0.0, 0.05))
            pulled_at, where = time.monotonic(), tool
            hands.pull([0.0, 0.0, 1.0, 0.0])
        elif pulled_at is not None and own["step"] <= 1:  # the episode ended meanwhile
            hands.pull(None)
            pulled_at = None
        elif pulled_at is not None and tool[2] - where[2] > MOVED:
            delays.append(now - pulled_at)
            hands.pull(None)
            pulled_at = None
        if now > end:
            return busy, state["missed"] - first["missed"], delays
    raise TaskUsageError("the supervision ended")


def states(socket: Connection) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yields what the page is told after each step, and when it was."""
    tick = None
    for text in socket:
        state = json.loads(text)
        if state["type"] == "state" and state.get("tick") not in (None, tick) and "tool" in state["own"]:
            tick = state["tick"]
            yield time.monotonic(), state


if __name__ == "__main__":
    with one_line_errors():
        main()
