# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Plays episodes of a policy and prints its figures: see ``scripts/play.py``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from mereq_algo.atomic_write import write_text
from mereq_algo.records import TaskSpec
from mereq_algo.runner import evaluate
from mereq_tasks.arguments import TaskUsageError

from ..errors import check_writable
from ..opening import opened_task, resolve_for
from ..plain_console import PlainConsole
from ..policies import find_policy
from ..watch import evaluation_table


def play(args: argparse.Namespace, overrides: list[str]) -> None:
    """Evaluates a policy over whole episodes, prints the figures, and writes them to ``args.json`` if asked.

    Args:
        args: The command line.
        overrides: Settings beside it.

    Raises:
        TaskUsageError: Too few episodes, a file that cannot be written, or no such policy.
        CheckpointError, RunFolderError: The policy's file or run is damaged.
    """
    if args.episodes < 2:
        raise TaskUsageError(f"episodes is {args.episodes}; a standard error takes at least 2")
    if args.json is not None:
        check_writable("figures", args.json)
    sources = {args.policy: find_policy(args.task, args.policy)}
    settings = resolve_for(sources, args, overrides, shows=True)
    if args.num_envs is None:
        settings.env_cfg.scene.num_envs = min(args.episodes, settings.env_cfg.scene.num_envs)
    console = PlainConsole()
    with opened_task(settings, sources, args.verbose) as opened:
        env, spec = opened.env, opened.spec
        torch.manual_seed(args.seed)
        env.reset()
        generator = None if args.deterministic else torch.Generator(env.device).manual_seed(args.seed)
        policies = {name: trained.policy for name, trained in opened.policies.items()}
        with console.status(f"playing {args.episodes} episodes"):
            evaluation = evaluate(env, policies, spec, args.episodes, generator)[args.policy].as_dict()
    # The folder of a run is long, and its name says which it is.
    console.print(evaluation_table({Path(args.policy).name: evaluation}, f"{spec.task}, seed {args.seed}"))
    if args.json is not None:
        result = {"task": spec.task, "policy": args.policy, "seed": args.seed, **used(spec), **evaluation}
        write_text(args.json, json.dumps(result, indent=2, ensure_ascii=False) + "\n")
        console.print(f"figures: {args.json}")


def used(spec: TaskSpec) -> dict[str, Any]:
    """Returns what the task was opened with: settings, rate and step sizes."""
    assert spec.meaning is not None  # of every task of the suite
    meaning = spec.meaning
    return {"settings": list(spec.settings or ()), "rate_hz": meaning.rate_hz, "step_sizes": meaning.step_sizes}
