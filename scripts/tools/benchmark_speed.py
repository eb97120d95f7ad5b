# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Measures how many steps of an environment a second this machine makes, against the number of robots.

Examples:
    ./isaaclab.sh -p scripts/tools/benchmark_speed.py --tasks Franka-Erase
    ./isaaclab.sh -p scripts/tools/benchmark_speed.py --tasks all --robots 64 256 1024 --peer robosuite
    ./isaaclab.sh -p scripts/tools/benchmark_speed.py --tasks Franka-Erase --robots 512 --device cpu --processes 1 2
    ./isaaclab.sh -p scripts/tools/benchmark_speed.py --tasks Franka-Erase --seconds 2 agent.sac.bfloat16=True

A step is one of 20 Hz, observations, rewards and resets included. It is measured with random actions, with those of the
task's prior, and in MEReQ's inner loop, with the shares of the time that physics, the rest of the environment, replay
and learning take. Every number of robots has a process of its own. A peer is measured right after, with random actions,
once with one process and once with as many as there are cores; the first time, its packages are fetched into an
environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mereq_lab.commands.measure_speed import speeds_of
from mereq_lab.errors import check_writable
from mereq_lab.plain_console import PlainConsole
from mereq_lab.program import one_line_errors
from mereq_lab.provenance import REPOSITORY, hardware, versions
from mereq_tasks.arguments import TaskUsageError, check_name, parse_settings, task_names

if TYPE_CHECKING:
    from mereq_lab.benchmark import Speed

PEERS = {
    "robosuite": {
        "Franka-Erase": "Wipe",
        "Franka-PickPlace": "PickPlace",
        "Franka-PushBottle": "Lift",
    },
}
"""The nearest task of each peer."""

PARTS = ["stepping", "policy", "training"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["all"], help="ids of tasks, or all (default)")
    parser.add_argument("--robots", nargs="+", type=int, default=[64, 256, 1024], help="numbers of robots")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (default: all three)")
    parser.add_argument(
        "--processes",
        nargs="+",
        type=int,
        default=[1],
        help="numbers of processes that share the robots, at the same time: side by side, and learning as one",
    )
    parser.add_argument("--peer", choices=sorted(PEERS), help="whose nearest task to measure beside ours")
    parser.add_argument("--repeats", type=int, default=5, help="measurements, of which the median counts (default: 5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a measurement [s] (default: 4)")
    parser.add_argument("--device", help="cpu, cuda or cuda:N (default: a GPU if there is one)")
    parser.add_argument("--output", type=Path, help="folder for the files (default: logs/speed/<time>)")
    args, args.settings = parse_settings(parser)

    tasks = task_names() if args.tasks == ["all"] else args.tasks
    for task in tasks:
        check_name("task", task, task_names())
        if args.peer:
            check_name(f"task of {args.peer}:", task, PEERS[args.peer])
    for name, value in (
        ("robots", min(args.robots) // max(args.processes)),
        ("repeats", args.repeats),
        ("processes", min(args.processes)),
    ):
        if value < 1:
            raise TaskUsageError(f"{name} is {value}; at least 1 is needed")
    if max(args.processes) > 1 and args.device != "cpu":
        raise TaskUsageError("several processes are measured on a CPU alone: add --device cpu")
    if args.seconds <= 0:
        raise TaskUsageError(f"seconds is {args.seconds}; it must be more than 0")
    output = args.output or REPOSITORY / "logs" / "speed" / time.strftime("%Y-%m-%d_%H-%M-%S")
    check_writable("output", output / "speed.csv")

    console = PlainConsole(soft_wrap=True, highlight=False)
    if args.peer:
        with console.status(f"setting up {args.peer}"):
            run_peer(args.peer, "--help")
    pairs = []
    for task in tasks:
        for robots in args.robots:
            measured = (ours for processes in args.processes for ours in speeds_of(task, robots, processes, args))
            for ours in measured:
                how = ours.part if ours.processes == 1 else f"{ours.part}, {ours.processes} processes"
                console.print(f"{task}, {robots:,} robots, {how}: {ours.env_steps_per_s:,.0f} env-steps/s")
                beside = []
                for processes in peer_processes(args) if (ours.part, ours.processes) == ("stepping", 1) else ():
                    beside.append(measure_peer(args.peer, PEERS[args.peer][task], processes, args))
                    console.print(
                        f"    {args.peer}, {processes} at once: {beside[-1].env_steps_per_s:,.0f} env-steps/s"
                    )
                pairs.append((ours, beside))
    write(output, pairs, console)


def peer_processes(args: argparse.Namespace) -> list[int]:
    """Returns with how many processes a peer is measured: one, and one a core."""
    return sorted({1, len(os.sched_getaffinity(0))}) if args.peer else []


def measure_peer(peer: str, task: str, processes: int, args: argparse.Namespace) -> Speed:
    """Returns the speed of a peer."""
    from mereq_lab.benchmark import Speed

    options = (f"--processes={processes}", f"--repeats={args.repeats}", f"--seconds={args.seconds}")
    rates = json.loads(run_peer(peer, task, *options))
    return Speed.of(rates, engine=peer, task=task, robots=processes, processes=processes)


def peer_script(peer: str) -> Path:
    """Returns the script that measures a peer in an environment of its own."""
    return Path(__file__).resolve().parent / "peers" / f"{peer}_speed.py"


def run_peer(peer: str, *arguments: str) -> str:
    """Returns what a peer's script prints; the first time, its packages are fetched.

    Raises:
        TaskUsageError: It failed.
    """
    command = [sys.executable, "-m", "uv", "run", "--quiet", "--script", str(peer_script(peer)), *arguments]
    # Without ours, or uv and its packages would find themselves in this project's environment.
    surroundings = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=surroundings)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise TaskUsageError(f"{peer} could not be measured: {reason}")
    return done.stdout


def write(output: Path, pairs: list[tuple[Speed, list[Speed]]], console: PlainConsole) -> None:
    """Writes and prints what was measured."""
    from mereq_lab.benchmark import plot_speeds, speeds_as_csv, speeds_as_markdown

    output.mkdir(parents=True, exist_ok=True)
    table = speeds_as_markdown(pairs)
    machine = ", ".join([*hardware().values(), *(f"{name} {version}" for name, version in versions().items())])
    (output / "speed.csv").write_text(speeds_as_csv([row for ours, others in pairs for row in (ours, *others)]))
    (output / "speed.md").write_text(f"{table}\n{machine}\n", encoding="utf-8")
    plot_speeds(pairs, output / "speed.png")
    console.print(table)
    console.print(f"speed: {output}")


if __name__ == "__main__":
    with one_line_errors():
        main()
