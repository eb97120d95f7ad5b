# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# /// script
# requires-python = ">=3.12,<3.13"
# dependencies = ["robosuite==1.5.2", "mujoco==3.3.7", "numpy==1.26.4"]
# ///

"""How fast robosuite steps one of its tasks: called by ``scripts/tools/benchmark_speed.py --peer robosuite``.

Runs in an environment of its own (``uv run --script``), since it needs another MuJoCo (1.5.2 stops at an assertion with
3.12) and another numpy than Isaac Lab. One robot a process, as robosuite has no batched physics. Prints one line of
JSON: a list of env-steps/s, one a repeat, summed over processes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import Any

import numpy as np

CONTROL_HZ = 20
"""As in this project's tasks."""


def step_for(env: Any, actions: np.ndarray, seconds: float) -> float:
    """Returns the rate of steps of one environment over at least some seconds [1/s]."""
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        env.step(actions[steps % len(actions)])
        steps += 1
    return steps / (time.perf_counter() - start)


def join(barrier: Barrier) -> None:
    """Lets the processes begin each stretch together."""
    global together
    together = barrier


def measure(task: str, index: int, repeats: int, seconds: float) -> list[float]:
    """Returns the rates of one process; the first stretch is a warm-up and not among them.

    Episodes do not end, so that no reset, which is slow there, is counted against robosuite.
    """
    with contextlib.redirect_stdout(sys.stderr):
        import robosuite  # pyright: ignore[reportMissingImports]

        logging.getLogger("robosuite_logs").setLevel(logging.ERROR)
        env = robosuite.make(
            task,
            robots="Panda",
            control_freq=CONTROL_HZ,
            ignore_done=True,
            has_renderer=False,
            has_offscreen_renderer=False,
            use_camera_obs=False,
        )
        env.reset()
    low, high = env.action_spec
    actions = np.random.default_rng(index).uniform(low, high, (1_000, len(low)))
    rates = []
    for _ in range(repeats + 1):
        together.wait()
        rates.append(step_for(env, actions, seconds))
    return rates[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", help="Wipe, Lift or PickPlace")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()

    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(args.processes)
    # An executor, so that a process that dies ends the whole and does not leave the others waiting.
    with ProcessPoolExecutor(args.processes, mp_context=spawn, initializer=join, initargs=(barrier,)) as pool:
        runs = [pool.submit(measure, args.task, index, args.repeats, args.seconds) for index in range(args.processes)]
        rates = [run.result() for run in runs]
    print(json.dumps(np.sum(rates, axis=0).tolist()))


if __name__ == "__main__":
    main()
