# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a step of physics costs on a CPU and why: by kernel, with the solver's iterations and its room for contacts.

Kernels run on all robots at once, and an iteration of the solver on those as well that have converged, which are
skipped one by one. So it counts how many iterations the slowest robot needs, and how many rows there is room for. Room
may be little, but never too little: a contact that finds none is left out. The times of kernels contain their launch
from Python, which is not needed when they are played back.

Example:
    ./isaaclab.sh -p scripts/tools/probe_physics.py --task Franka-PickPlace --num_envs 256
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table

from mereq_lab.opening import opened_task, resolve_for
from mereq_lab.plain_console import PlainConsole
from mereq_lab.policies import find_policy
from mereq_lab.program import one_line_errors
from mereq_tasks.arguments import TaskUsageError, add_task_args, parse_task_args

if TYPE_CHECKING:
    import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument("--policy", default="prior", help="prior, expert, a run folder or a file (default: prior)")
    parser.add_argument("--steps", type=int, default=60, help="steps of an episode to measure (default: 60)")
    parser.add_argument("--kernels", type=int, default=10, help="how many of them to show (default: 10)")
    args, overrides = parse_task_args(parser)
    sources = {args.policy: find_policy(args.task, args.policy)}
    for name in ("steps", "kernels"):
        if getattr(args, name) < 1:
            raise TaskUsageError(f"{name} is {getattr(args, name)}; at least 1 is needed")

    import torch

    settings = resolve_for(sources, args, overrides, shows=True)
    settings.env_cfg.scene.num_envs = args.num_envs or 256
    if torch.device(settings.env_cfg.sim.device).type != "cpu":
        raise TaskUsageError("kernels are timed on a CPU alone: add --device cpu")
    with opened_task(settings, sources, args.verbose) as opened, torch.inference_mode():
        env: Any = opened.vec_env  # rsl_rl does not declare reset()
        policy = opened.policies[args.policy].policy

        def seconds_a_step(num_steps: int, then: Callable[[], None] = lambda: None) -> float:
            """Returns what a step takes of this thread [s], at the mean of the first ones, always the same."""
            torch.manual_seed(args.seed)
            generator = torch.Generator().manual_seed(args.seed)
            env.reset()
            total = 0.0
            for _ in range(num_steps):
                start = time.thread_time()
                env.step(policy.sample(env.get_observations()["policy"], generator)[0])
                total += time.thread_time() - start
                then()
            return total / num_steps

        solver = Solver()
        seconds_a_step(3)  # loads the kernels, and records them
        played_back = seconds_a_step(args.steps, solver.look)
        physics: Any = opened.unwrapped.sim.cfg.physics
        physics.use_cuda_graph = False
        with kernel_times() as times:
            seconds_a_step(args.steps)
    show(args, played_back, times, solver, env.num_envs)


class Solver:
    """What the solver needed, as seen after each step of the environment: of the last of its steps of physics."""

    def __init__(self) -> None:
        from isaaclab_newton.physics import NewtonManager

        solver: Any = NewtonManager._solver
        self.data = solver.mjw_data
        self.iterations: list[np.ndarray] = []
        self.rows: list[np.ndarray] = []
        self.contacts: list[np.ndarray] = []

    def look(self) -> None:
        """Notes iterations, rows and contacts of each robot."""
        import numpy as np

        robots = self.data.contact.worldid.numpy()[: self.data.nacon.numpy()[0]]
        self.iterations.append(self.data.solver_niter.numpy().copy())
        self.rows.append(self.data.nefc.numpy().copy())
        self.contacts.append(np.bincount(robots, minlength=self.data.nworld))


@contextlib.contextmanager
def kernel_times() -> Iterator[dict[str, list[float]]]:
    """Times each kernel that is launched from Python: what its launches took of this thread [s], by name."""
    import warp
    from warp._src import context

    times: dict[str, list[float]] = collections.defaultdict(list)
    launch = context.launch

    def timed(kernel: Any, *args: Any, **kwargs: Any) -> Any:
        start = time.thread_time()
        result = launch(kernel, *args, **kwargs)
        times[kernel.key].append(time.thread_time() - start)
        return result

    # Users of Warp call the one, and Warp's launch_tiled the other.
    warp.launch = context.launch = timed
    try:
        yield times
    finally:
        warp.launch = context.launch = launch


def show(
    args: argparse.Namespace, played_back: float, times: dict[str, list[float]], solver: Solver, num_envs: int
) -> None:
    """Prints what was measured."""
    import numpy as np

    total = sum(map(sum, times.values())) / args.steps
    table = Table("kernel", "ms a step", "launches a step", title=f"{args.task}, {num_envs} robots, {args.policy}")
    longest = sorted(times.items(), key=lambda item: -sum(item[1]))[: args.kernels]
    for name, each in longest:
        cost = 1e3 * sum(each) / args.steps
        table.add_row(name.removesuffix("__locals__kernel").strip("_"), f"{cost:.1f}", f"{len(each) / args.steps:.0f}")
    table.add_section()
    table.add_row(f"all {len(times)}", f"{1e3 * total:.1f}", f"{sum(map(len, times.values())) / args.steps:.0f}")
    table.add_row("a step of the environment, played back", f"{1e3 * played_back:.1f}", "")

    room = Table("of the solver", "mean", "99 %", "of the slowest or fullest, mean", "most", "room")
    data = solver.data
    for name, seen, limit in (
        ("iterations", solver.iterations, ""),
        ("rows", solver.rows, str(data.njmax)),
        ("contacts", solver.contacts, str(data.naconmax // data.nworld)),
    ):
        all_seen, fullest = np.concatenate(seen), [each.max() for each in seen]
        numbers = (all_seen.mean(), np.percentile(all_seen, 99), np.mean(fullest))
        room.add_row(name, *(f"{number:.1f}" for number in numbers), str(all_seen.max()), limit)
    console = PlainConsole()
    console.print(table)
    console.print(room)


if __name__ == "__main__":
    with one_line_errors():
        main()
