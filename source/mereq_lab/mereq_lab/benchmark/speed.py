# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How fast environments step: measuring, and what a measurement leaves."""

from __future__ import annotations

import csv
import io
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import matplotlib
import torch

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import ScalarFormatter
from rsl_rl.env import VecEnv

from .figures import write_figure


@dataclass(frozen=True)
class Speed:
    """The speed of one engine at one task."""

    engine: str
    """``mereq_lab``, or the name of a peer."""
    task: str
    """In the engine's own words."""
    robots: int
    """Robots simulated at once, over all processes."""
    processes: int
    env_steps_per_s: float
    """Median over repeats; a step of ten robots counts ten."""
    lowest: float
    highest: float
    repeats: int
    part: str = "stepping"
    """``stepping`` with random actions, ``policy`` with a policy's, ``training`` in MEReQ's inner loop; of several
    processes one each, or ``training as one``."""
    peak_memory_mib: float | None = None
    """Resident memory of the process at its peak; ``None`` where it was not measured."""
    peak_gpu_memory_mib: float | None = None
    """Memory of the GPU at its peak, other processes' included."""
    physics: float | None = None
    """Share of the wall time of training; likewise the next three."""
    environment: float | None = None
    replay: float | None = None
    learning: float | None = None

    @classmethod
    def of(cls, rates: Sequence[float], **names: str | int | float | None) -> Speed:
        """Return the speed that repeated measurements came to.

        Args:
            rates: Env-steps/s, one a repeat.
            **names: The other fields.
        """
        return cls(
            env_steps_per_s=statistics.median(rates),
            lowest=min(rates),
            highest=max(rates),
            repeats=len(rates),
            **names,  # type: ignore[arg-type]
        )


def measure_stepping(
    env: VecEnv, act: Callable[[], torch.Tensor], seconds: float, repeats: int, warm_up_s: float
) -> list[float]:
    """Step an environment again and again, resets of ended episodes included.

    Args:
        env: The environment.
        act: Returns the next actions. Shape: (num_envs, num_actions)
        seconds: Shortest length of a repeat [s].
        repeats: Number of repeats.
        warm_up_s: For how long to step before [s].

    Returns:
        Env-steps/s of every repeat.
    """

    def rate(duration: float) -> float:
        synchronize(env.device)
        start, steps, elapsed = time.perf_counter(), 0, 0.0
        while elapsed < duration:
            env.step(act())
            steps += 1
            synchronize(env.device)
            elapsed = time.perf_counter() - start
        return steps * env.num_envs / elapsed

    with torch.inference_mode():
        rate(warm_up_s)
        return [rate(seconds) for _ in range(repeats)]


def synchronize(device: torch.device | str) -> None:
    """Wait for what a GPU still computes."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def speeds_as_csv(speeds: Sequence[Speed]) -> str:
    """Return ``speed.csv``: a row a measurement."""
    output = io.StringIO()
    writer = csv.DictWriter(output, fieldnames=[field.name for field in fields(Speed)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(speed) for speed in speeds)
    return output.getvalue()


def speeds_as_markdown(pairs: Sequence[tuple[Speed, Sequence[Speed]]]) -> str:
    """Return a table: a row a measurement of ours, with those of peers that were taken beside it.

    Args:
        pairs: Ours, and the peers'; every row has as many peers.
    """
    peers = [f"{peer.engine}, {peer.processes} at once" for peer in max((others for _, others in pairs), key=len)]
    header = ["task", "robots", "what", "env-steps/s", "lowest to highest", "peak memory"]
    header += ["physics", "environment", "replay", "learning"]
    header += [column for peer in peers for column in (peer, "times")]
    lines = [header, ["---", "---:", "---", *["---:"] * (len(header) - 3)]]
    for ours, others in pairs:
        memory = "" if ours.peak_memory_mib is None else f"{ours.peak_memory_mib / 1024:.1f} GiB"
        row = [ours.task, f"{ours.robots:,}", _what(ours), f"{ours.env_steps_per_s:,.0f}"]
        row += [f"{ours.lowest:,.0f} to {ours.highest:,.0f}", memory]
        shares = (ours.physics, ours.environment, ours.replay, ours.learning)
        row += ["" if share is None else f"{100 * share:.0f} %" for share in shares]
        for other in others:
            row += [f"{other.env_steps_per_s:,.0f} ({other.task})"]
            row += [f"{ours.env_steps_per_s / other.env_steps_per_s:.1f}"]
        lines.append([*row, *[""] * (len(header) - len(row))])  # peers only step
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _what(speed: Speed) -> str:
    return speed.part if speed.processes == 1 else f"{speed.part}, {speed.processes} processes"


def plot_speeds(pairs: Sequence[tuple[Speed, Sequence[Speed]]], file: Path) -> None:
    """Draw env-steps/s against the number of robots, a line a task, peers as dotted lines.

    Args:
        pairs: As in :func:`speeds_as_markdown`.
        file: Where the picture goes.
    """
    figure, axis = plt.subplots(figsize=(7, 4.5))
    parts = list(dict.fromkeys((ours.task, _what(ours)) for ours, _ in pairs))
    for index, (task, part) in enumerate(parts):
        mine = [(ours, others) for ours, others in pairs if (ours.task, _what(ours)) == (task, part)]
        robots = [ours.robots for ours, _ in mine]
        rates = [ours.env_steps_per_s for ours, _ in mine]
        errors = [[ours.env_steps_per_s - ours.lowest for ours, _ in mine]]
        errors += [[ours.highest - ours.env_steps_per_s for ours, _ in mine]]
        axis.errorbar(robots, rates, yerr=errors, color=f"C{index}", marker="o", capsize=3, label=f"{task}, {part}")
        for position, other in enumerate(mine[0][1]):
            beside = [others[position].env_steps_per_s for _, others in mine]
            label = f"{other.engine} {other.task}, {other.processes} at once"
            axis.plot(robots, beside, color=f"C{index}", linestyle=(0, (1, 1 + 2 * position)), label=label)
    axis.set(xscale="log", yscale="log", xlabel="robots", ylabel="env-steps/s")
    axis.set_xticks(sorted({ours.robots for ours, _ in pairs}), minor=False)
    axis.get_xaxis().set_major_formatter(ScalarFormatter())
    axis.minorticks_off()
    axis.legend(frameon=False, fontsize=8)
    write_figure(figure, file)
    plt.close(figure)
