# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Measures how many steps of an environment a second this machine makes, against the number of robots.

Examples:
    ./isaaclab.sh -p scripts/benchmark_speed.py --tasks Franka-Erase
    ./isaaclab.sh -p scripts/benchmark_speed.py --tasks all --robots 64 256 1024 --peer robosuite

A step is one of 20 Hz, observations, rewards and resets included. It is measured with random actions, with those of the
task's prior, and in MEReQ's inner loop, with the shares of the time that physics, the rest of the environment, replay
and learning take. Every number of robots has a process of its own. A peer is measured right after, with random actions,
once with one process and once with as many as there are cores; the first time, its packages are fetched into an
environment of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from _common import REPOSITORY, check_writable, hardware, load_policy, one_line_errors, policy_file, versions
from mereq_tasks.arguments import TaskUsageError, add_task_args, check_name, parse_task_args, task_names
from mereq_tasks.quiet import quiet

if TYPE_CHECKING:
    import torch

    from mereq_algo.benchmark import Speed

PEERS = {"robosuite": {"Franka-Erase": "Wipe", "Franka-PickPlace": "PickPlace", "Franka-PushBottle": "Lift"}}
"""The nearest task of each peer."""

PARTS = ["stepping", "policy", "training"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["all"], help="ids of tasks, or all (default)")
    parser.add_argument("--robots", nargs="+", type=int, default=[64, 256, 1024], help="numbers of robots")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (default: all three)")
    parser.add_argument("--peer", choices=sorted(PEERS), help="whose nearest task to measure beside ours")
    parser.add_argument("--repeats", type=int, default=5, help="measurements, of which the median counts (default: 5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a measurement [s] (default: 4)")
    parser.add_argument("--device", help="cpu, cuda or cuda:N (default: a GPU if there is one)")
    parser.add_argument("--output", type=Path, help="folder for the files (default: logs/speed/<time>)")
    args = parser.parse_args()

    tasks = task_names() if args.tasks == ["all"] else args.tasks
    for task in tasks:
        check_name("task", task, task_names())
        if args.peer:
            check_name(f"task of {args.peer}:", task, PEERS[args.peer])
    for name, value in (("robots", min(args.robots)), ("repeats", args.repeats)):
        if value < 1:
            raise TaskUsageError(f"{name} is {value}; at least 1 is needed")
    if args.seconds <= 0:
        raise TaskUsageError(f"seconds is {args.seconds}; it must be more than 0")
    output = args.output or REPOSITORY / "logs" / "speed" / time.strftime("%Y-%m-%d_%H-%M-%S")
    check_writable("output", output / "speed.csv")

    console = Console(soft_wrap=True, highlight=False)
    if args.peer:
        with console.status(f"setting up {args.peer}"):
            run_peer(args.peer, "--help")
    pairs = []
    for task in tasks:
        for robots in args.robots:
            for ours in in_own_process(task, robots, args):
                console.print(f"{task}, {robots:,} robots, {ours.part}: {ours.env_steps_per_s:,.0f} env-steps/s")
                beside = []
                for processes in peer_processes(args) if ours.part == "stepping" else ():
                    beside.append(measure_peer(args.peer, PEERS[args.peer][task], processes, args))
                    console.print(
                        f"    {args.peer}, {processes} at once: {beside[-1].env_steps_per_s:,.0f} env-steps/s"
                    )
                pairs.append((ours, beside))
    write(output, pairs, console)


def peer_processes(args: argparse.Namespace) -> list[int]:
    """Returns with how many processes a peer is measured: one, and one a core."""
    return sorted({1, len(os.sched_getaffinity(0))}) if args.peer else []


def in_own_process(task: str, robots: int, args: argparse.Namespace) -> list[Speed]:
    """Returns the speeds of a task, measured in a fresh process: its peak memory is its own.

    Raises:
        TaskUsageError: The process died.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(measure, task, robots, args).result()
        except BrokenProcessPool:
            raise TaskUsageError(
                f"measuring {task} with {robots} robots ended without a result: out of memory?"
            ) from None


def measure(task: str, robots: int, args: argparse.Namespace) -> list[Speed]:
    """Opens a task and measures it."""
    import torch

    with quiet(True):
        from mereq_algo.benchmark import Speed, TrainingSpeed, measure_stepping
        from mereq_algo.runner import MEReQCfg, TaskSpec
        from mereq_tasks.launch import open_task, resolve_task

    parser = argparse.ArgumentParser()
    add_task_args(parser)
    command = ["--task", task, "--num_envs", str(robots), *(("--device", args.device) if args.device else ())]
    settings = resolve_task(*parse_task_args(parser, command))
    with open_task(settings) as opened:
        env = opened.env
        obs = env.get_observations()["policy"]
        prior = load_policy(
            policy_file(task, "prior"), TaskSpec(**opened.names), obs.shape[1], env.num_actions, env.device
        )
        generator = torch.Generator(env.device).manual_seed(0)
        shape = (env.num_envs, env.num_actions)
        acts = {
            "stepping": lambda: torch.rand(shape, generator=generator, device=env.device) * 2 - 1,
            "policy": lambda: prior.policy.sample(env.get_observations()["policy"], generator)[0],
        }
        found = []
        for part in args.parts:
            shares = {}
            # Long enough that episodes have ended and robots touch things.
            warm_up_s = 2 * args.seconds
            if part == "training":
                cfg = MEReQCfg.from_dict(settings.agent)
                training = TrainingSpeed(env, prior.policy, prior.info.temperature, cfg.sac, cfg.irl, cfg.inner)
                rates = training.rates(args.seconds, args.repeats, warm_up_s)
                shares = training.shares()
            else:
                rates = measure_stepping(env, acts[part], args.seconds, args.repeats, warm_up_s)
            names = {"engine": "mereq_lab", "task": task, "robots": robots, "processes": 1, "part": part}
            found.append(Speed.of(rates, **names, **peak_memory(env.device), **shares))
    return found


def peak_memory(device: torch.device | str) -> dict[str, float]:
    """Returns the memory that this process has used at its peak, and that is used of its GPU [MiB]."""
    import torch

    found = {"peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    if torch.device(device).type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        found["peak_gpu_memory_mib"] = (total - free) / 2**20
    return found


def measure_peer(peer: str, task: str, processes: int, args: argparse.Namespace) -> Speed:
    """Returns the speed of a peer."""
    from mereq_algo.benchmark import Speed

    options = (f"--processes={processes}", f"--repeats={args.repeats}", f"--seconds={args.seconds}")
    rates = json.loads(run_peer(peer, task, *options))
    return Speed.of(rates, engine=peer, task=task, robots=processes, processes=processes)


def run_peer(peer: str, *arguments: str) -> str:
    """Returns what a peer's script prints; the first time, its packages are fetched.

    Raises:
        TaskUsageError: It failed.
    """
    script = REPOSITORY / "scripts" / "peers" / f"{peer}_speed.py"
    command = [sys.executable, "-m", "uv", "run", "--quiet", "--script", str(script), *arguments]
    # Without ours, or uv and its packages would find themselves in this project's environment.
    surroundings = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=surroundings)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise TaskUsageError(f"{peer} could not be measured: {reason}")
    return done.stdout


def write(output: Path, pairs: list[tuple[Speed, list[Speed]]], console: Console) -> None:
    """Writes and prints what was measured."""
    from mereq_algo.benchmark import plot_speeds, speeds_as_csv, speeds_as_markdown

    output.mkdir(parents=True, exist_ok=True)
    table = speeds_as_markdown(pairs)
    machine = ", ".join([*hardware().values(), *(f"{name} {version}" for name, version in versions().items())])
    (output / "speed.csv").write_text(speeds_as_csv([row for ours, others in pairs for row in (ours, *others)]))
    (output / "speed.md").write_text(f"{table}\n{machine}\n", encoding="utf-8")
    plot_speeds(pairs, output / "speed.png")
    console.print(table, markup=False)
    console.print(f"speed: {output}")


if __name__ == "__main__":
    with one_line_errors():
        main()
