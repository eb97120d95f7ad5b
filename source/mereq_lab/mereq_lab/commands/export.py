# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Exports a policy for the arm: see ``scripts/export_policy.py``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from rsl_rl.env import VecEnv

from mereq_algo.networks import GaussianPolicy, TrainedPolicy
from mereq_algo.records import SAMPLED, RunFolder, of_a_run
from mereq_deploy.contract import Contract, checksum
from mereq_tasks.arguments import TaskUsageError

from ..errors import check_writable
from ..export import DeterministicPolicy, SamplingPolicy, check_agreement, corner_observations, write_model
from ..export.replace_folder import put_back, replace_folder
from ..opening import OpenedTask, check_contract, opened_task, resolve_for
from ..plain_console import PlainConsole
from ..policies import find_policy, follower
from ..provenance import command_line, versions

NUM_ROBOTS = 50
"""Robots that show what observations look like."""

NUM_COMPARED = 1_000
"""Observations of each sort on which the files are compared with the policy."""


def export_policy(args: argparse.Namespace, overrides: list[str]) -> None:
    """Exports a policy, and compares the files with it before any is in its place.

    Args:
        args: The command line.
        overrides: Settings beside it.

    Raises:
        TaskUsageError: The output holds something else, or the policy was trained with another arm.
        ExportError: A file differs too much from its policy.
        CheckpointError, RunFolderError: The policy's file or run is damaged.
    """
    check_writable("export", args.output / "contract.json")
    put_back(args.output)
    if args.output.exists() and any(args.output.iterdir()) and not (args.output / "contract.json").is_file():
        raise TaskUsageError(f"output holds something else than an export: {args.output}")
    source = find_policy(args.task, args.run)
    sources = {args.run: source}
    if "prior" in args.also:
        # On an arm it must mean what it was trained with, whatever the run has used it for.
        sources["prior"] = follower(find_policy(args.task, "prior", source.run))
    settings = resolve_for(sources, args, overrides)
    check_contract(args.run, source, settings)
    settings.env_cfg.scene.num_envs = args.num_envs or NUM_ROBOTS
    console = PlainConsole()
    named = {"policy": source, **({"prior": sources["prior"]} if "prior" in args.also else {})}
    with opened_task(settings, named, args.verbose) as opened, tempfile.TemporaryDirectory() as folder:
        worst = export(opened, "sampler" in args.also, Path(folder), Path(args.run), args.seed)
        replace_folder(Path(folder), args.output)
    console.print(f"files agree with the policy within {worst:.1e} on {2 * NUM_COMPARED:,} observations each")
    console.print(f"exported: {args.output}", soft_wrap=True, highlight=False)


def export(opened: OpenedTask, with_sampler: bool, folder: Path, run: Path, seed: int) -> float:
    """Writes models and contract to a folder.

    Returns:
        The largest difference between a file and its policy.

    Raises:
        ExportError: A file differs too much.
    """
    from mereq_tasks.interface import describe_interface  # imports Isaac Lab, which is loaded by now

    env, spec, trained = opened.vec_env, opened.spec, opened.policies
    interface = describe_interface(opened.unwrapped)
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
            "goal": spec.texts.goal,
            "wish": spec.texts.wish,
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
