# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Measures the speed of a task in processes of its own: one, or several at the same time."""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import resource
import socket
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from mereq_tasks.arguments import TaskUsageError
from mereq_tasks.quiet import quiet

from ..opening import opened_task
from ..policies import find_policy

if TYPE_CHECKING:
    import torch

    from ..benchmark import Speed

AS_ONE = "training as one"
"""MEReQ's inner loop in several processes that learn one policy; ``training`` in several is one policy each."""


def speeds_of(task: str, robots: int, processes: int, args: argparse.Namespace) -> list[Speed]:
    """Returns the speeds of a task, measured in fresh processes: their peak memory is their own.

    Args:
        task: Its id.
        robots: Robots of all processes together.
        processes: How many measure at the same time; their rates are added up.
        args: What ``benchmark_speed.py`` was asked for.

    Raises:
        TaskUsageError: A process died.
    """
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        port = _free_port()
        futures = [
            pool.submit(_measure, task, robots // processes, args, rank, processes, port) for rank in range(processes)
        ]
        try:
            measured = [future.result() for future in futures]
        except BrokenProcessPool:
            raise TaskUsageError(
                f"measuring {task} with {robots} robots ended without a result: out of memory?"
            ) from None
    return [_together(same_part) for same_part in zip(*measured, strict=True)]


def _together(speeds: tuple[tuple[list[float], dict], ...]) -> Speed:
    """Adds up what processes measured at the same time."""
    from ..benchmark import Speed

    names = dict(speeds[0][1])
    names["robots"] *= len(speeds)
    names["processes"] = len(speeds)
    names["peak_memory_mib"] = sum(fields["peak_memory_mib"] for _, fields in speeds)
    return Speed.of([sum(rates) for rates in zip(*(rates for rates, _ in speeds), strict=True)], **names)


def _measure(
    task: str, robots: int, args: argparse.Namespace, rank: int, processes: int, port: int
) -> list[tuple[list[float], dict]]:
    """Opens a task and measures it; returns the rates of each part, with the fields that go with them."""
    import torch

    with quiet(True):
        from mereq_algo.ranks import ENVIRONMENT, Ranks, joined_ranks
        from mereq_algo.runner import MEReQCfg
        from mereq_tasks.launch import settings_of

        from ..benchmark import TrainingSpeed, measure_stepping

    device = ("--device", args.device) if args.device else ()
    settings = settings_of(task, "--num_envs", str(robots), *device, *args.settings)
    cfg = MEReQCfg.from_dict(settings.agent)
    with contextlib.ExitStack() as cleanup:
        others = Ranks()
        if processes > 1:
            values = (rank, rank, processes, "127.0.0.1", port)
            os.environ.update(dict(zip(ENVIRONMENT, map(str, values), strict=True)))
            others = cleanup.enter_context(joined_ranks("cpu"))
        opened = cleanup.enter_context(opened_task(settings, {"prior": find_policy(task, "prior")}))
        env, prior = opened.vec_env, opened.policies["prior"]
        generator = torch.Generator(env.device).manual_seed(rank)
        shape = (env.num_envs, env.num_actions)
        acts = {
            "stepping": lambda: torch.rand(shape, generator=generator, device=env.device) * 2 - 1,
            "policy": lambda: prior.policy.sample(env.get_observations()["policy"], generator)[0],
        }
        # Long enough that episodes have ended and robots touch things.
        warm_up_s = 2 * args.seconds
        found = []
        for part in [*args.parts, *([AS_ONE] if processes > 1 and "training" in args.parts else [])]:
            others.from_first(None)  # all begin at the same time
            shares = {}
            if part in acts:
                rates = measure_stepping(env, acts[part], args.seconds, args.repeats, warm_up_s)
            else:
                ranks = others if part == AS_ONE else Ranks()
                training = TrainingSpeed(
                    env, prior.policy, prior.info.temperature, cfg.sac, cfg.irl, cfg.inner, ranks, others
                )
                rates = training.rates(args.seconds, args.repeats, warm_up_s)
                shares = training.shares()
            fields = {"engine": "mereq_lab", "task": task, "robots": robots, "part": part, **shares}
            found.append((rates, fields | _peak_memory(env.device)))
        return found


def _peak_memory(device: torch.device | str) -> dict[str, float]:
    """Returns the memory that this process has used at its peak, and that is used of its GPU [MiB]."""
    import torch

    found = {"peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    if torch.device(device).type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        found["peak_gpu_memory_mib"] = (total - free) / 2**20
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
