# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Exports a policy for the arm: TorchScript, ONNX, and a contract that says how to drive an arm with them.

Examples:
    ./isaaclab.sh -p scripts/export_policy.py --run logs/mereq/Franka-Erase/<run> --output exported/erase
    ./isaaclab.sh -p scripts/export_policy.py --task Franka-Erase --run prior --output exported/prior

The files are compared with the live policy on observations of real episodes and on corners of the observation's ranges;
where they differ nothing is written.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _common import PlainConsole, check_writable, command_line, one_line_errors, versions
from _opening import check_contract, resolve_for
from _policies import PolicySource, find_policy, follower, load_policy
from mereq_tasks.arguments import TaskUsageError, add_task_args, parse_task_args
from mereq_tasks.quiet import quiet

if TYPE_CHECKING:
    import torch
    from rsl_rl.env import VecEnv

    from mereq_algo.networks import GaussianPolicy, TrainedPolicy
    from mereq_tasks.launch import OpenTask

NUM_ROBOTS = 50
"""Robots that show what observations look like."""

NUM_COMPARED = 1_000
"""Observations of each sort on which the files are compared with the policy."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument("--run", required=True, help="a run folder, prior, expert, or a policy file")
    parser.add_argument("--output", type=Path, required=True, help="folder; an earlier export is replaced")
    parser.add_argument(
        "--with", nargs="+", dest="also", default=[], choices=("prior", "sampler"), help="export it, too"
    )
    args, overrides = parse_task_args(parser, with_task_of_run(sys.argv[1:]))
    check_writable("export", args.output / "contract.json")
    put_back(args.output)
    if args.output.exists() and any(args.output.iterdir()) and not (args.output / "contract.json").is_file():
        raise TaskUsageError(f"output holds something else than an export: {args.output}")
    source = find_policy(args.task, args.run)
    sources = {args.run: source}
    if "prior" in args.also:
        # On an arm it must mean what it was trained with, whatever the run has used it for.
        sources["prior"] = follower(find_policy(args.task, "prior", source.run))

    with quiet(not args.verbose):
        from mereq_tasks.launch import open_task

    settings = resolve_for(sources, args, overrides)
    check_contract(args.run, source, settings)
    settings.env_cfg.scene.num_envs = args.num_envs or NUM_ROBOTS
    console = PlainConsole()
    with open_task(settings, args.verbose) as task, tempfile.TemporaryDirectory() as folder:
        named = {"policy": source, **({"prior": sources["prior"]} if "prior" in args.also else {})}
        worst = export(task, named, "sampler" in args.also, Path(folder), Path(args.run), args.seed)
        replace_folder(Path(folder), args.output)
    console.print(f"files agree with the policy within {worst:.1e} on {2 * NUM_COMPARED:,} observations each")
    console.print(f"exported: {args.output}", soft_wrap=True, highlight=False)


def replace_folder(source: Path, target: Path) -> None:
    """Puts a copy of a folder in the place of another, one export at a time; a part of one is never found there.

    Raises:
        OSError: It cannot be written, because the disk is full, say. An earlier export is as it was.
    """
    from mereq_algo.whole_file import synchronize

    target = target.absolute()
    fresh, old = (target.with_name(f".{target.name}.{what}") for what in ("new", "old"))
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked_folder(target.parent):
        _restore(old, target)
        for left_over in (fresh, old):  # of an export that was killed
            shutil.rmtree(left_over, ignore_errors=True)
        try:
            fresh.mkdir()
            for file in source.iterdir():
                shutil.copy(file, fresh)
                synchronize(fresh / file.name)
            synchronize(fresh)
            if target.exists():
                target.rename(old)
            fresh.rename(target)
            synchronize(target.parent)
        finally:
            if old.exists() and not target.exists():
                old.rename(target)
            for left_over in (fresh, old):
                shutil.rmtree(left_over, ignore_errors=True)


def put_back(target: Path) -> None:
    """Puts an earlier export back in its place, which one that was killed has put aside."""
    target = target.absolute()
    old = target.with_name(f".{target.name}.old")
    if not old.exists():
        return
    with locked_folder(target.parent):
        _restore(old, target)


def _restore(old: Path, target: Path) -> None:
    if old.exists() and not target.exists():
        old.rename(target)


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Keeps other exports out of a folder, for the moment that replacing one takes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def with_task_of_run(argv: list[str]) -> list[str]:
    """Returns the command line with the task of the run folder that it names, if it names one and no task."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--task")
    first.add_argument("--run", type=Path)
    args = first.parse_known_args(argv)[0]
    if args.task is not None or args.run is None or not args.run.is_dir():
        return argv

    from mereq_algo.runner import RunFolder

    return [*argv, "--task", str(RunFolder.open(args.run).read_summary("task")["task"])]


def export(
    task: OpenTask, sources: dict[str, PolicySource], with_sampler: bool, folder: Path, run: Path, seed: int
) -> float:
    """Writes models and contract to a folder.

    Returns:
        The largest difference between a file and its policy.

    Raises:
        ExportError: A file differs too much.
    """
    from mereq_algo.export import (
        DeterministicPolicy,
        SamplingPolicy,
        check_agreement,
        corner_observations,
        write_model,
    )
    from mereq_algo.runner import TaskSpec
    from mereq_deploy.contract import Contract
    from mereq_tasks.interface import describe_interface

    env, spec = task.env, TaskSpec(**task.names)
    num_obs = env.get_observations()["policy"].shape[1]
    trained = {
        name: load_policy(source, spec, num_obs, env.num_actions, env.device) for name, source in sources.items()
    }
    interface = describe_interface(env.unwrapped)  # type: ignore[arg-type]  # it is manager-based
    seen = observe(env, trained["policy"].policy, NUM_COMPARED, seed)
    low, high = ([value for term in interface["observation"] for value in term[bound]] for bound in ("low", "high"))
    compared = (seen, corner_observations(low, high, NUM_COMPARED, seed))

    modules: dict[str, Any] = {name: DeterministicPolicy(policy.policy) for name, policy in trained.items()}
    if with_sampler:
        modules["sampler"] = SamplingPolicy(trained["policy"].policy)
    written = {name: write_model(module, folder, name) for name, module in modules.items()}
    worst = max(check_agreement(model, observations, seed) for model in written.values() for observations in compared)

    contract = Contract.from_dict(
        {
            "format": "mereq-contract",
            "version": 1,
            "robot": "FR3",
            "task": spec.task,
            "goal": task.names["texts"]["goal"],
            "wish": task.names["texts"]["wish"],
            **interface,
            "features": list(spec.feature_names),
            "models": {name: describe_model(model) for name, model in written.items()},
            "versions": versions(),
            **describe_source(run, trained["policy"], list(spec.settings or ())),
        }
    )
    contract.save(folder)
    return worst


def observe(env: VecEnv, policy: GaussianPolicy, count: int, seed: int) -> torch.Tensor:
    """Returns observations of an episode of all robots, drawn at random. Shape: (count, num_obs)."""
    import torch

    generator = torch.Generator(env.device).manual_seed(seed)
    obs, seen = env.get_observations(), []
    with torch.no_grad():
        for _ in range(max(int(env.max_episode_length), 1 + count // env.num_envs)):
            seen.append(obs["policy"].clone())
            obs = env.step(policy.sample(obs["policy"], generator)[0])[0]
    together = torch.cat(seen).cpu()
    together = together[together.isfinite().all(dim=1)]
    return together[torch.randperm(len(together), generator=torch.Generator().manual_seed(seed))[:count]]


def describe_model(model: Any) -> dict[str, Any]:
    """Returns the contract's entry of a model."""
    from mereq_algo.export import SamplingPolicy
    from mereq_deploy.contract import checksum

    return {
        "kind": "sampler" if isinstance(model.module, SamplingPolicy) else "deterministic",
        "inputs": list(model.module.inputs),
        "outputs": list(model.module.outputs),
        "files": {
            form: {"name": file.name, "sha256": checksum(file)}
            for form, file in (("onnx", model.onnx), ("torchscript", model.torchscript))
        },
    }


def describe_source(run: Path, trained: TrainedPolicy, settings: list[str]) -> dict[str, Any]:
    """Returns θ, where the policy came from and with which figures, and what was changed of the task's environment.

    A run that trains writes its summary after its policy, and may have written both again since the policy was read:
    what is said is of the policy's own round.

    Raises:
        RunFolderError: The summary is damaged.
        TaskUsageError: It is of an earlier round than the policy.
    """
    from mereq_algo.runner import SAMPLED, RunFolder, of_a_run

    source: dict[str, Any] = {"name": run.name, "command": command_line(), **trained.info.extra, "settings": settings}
    source["actions"] = SAMPLED  # of the figures here; what is exported takes the mean ones
    if not run.is_dir():
        return {"theta": None, "source": source}

    folder = RunFolder.open(run)
    kept = ("method", "seed", "status", "rounds", "expert_samples", "intervention_rate", "expert_return_gap_closed")
    summary = folder.read_summary("theta", *kept)
    info = trained.info.extra
    with of_a_run(folder.summary_file):
        now = {key: summary[key] for key in kept}
        rounds = info.get("round", now["rounds"])
        if now["rounds"] < rounds:
            raise TaskUsageError(
                f"the run has a policy of round {rounds} and a summary of round {now['rounds']}: it is being written,"
                f" or was cut off; try again, or go on with it by scripts/train_mereq.py --resume {run}"
            )
        if now["rounds"] > rounds:
            now |= {"status": "running", "rounds": rounds, "expert_return_gap_closed": None}
            now |= {key: now[key][:rounds] for key in ("expert_samples", "intervention_rate")}
        return {"theta": info.get("theta", summary["theta"]), "source": {**source, **now}}


if __name__ == "__main__":
    with one_line_errors():
        main()
