# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Trains a task's prior or expert: see ``scripts/train_policy.py``."""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mereq_algo.atomic_write import write_text
from mereq_algo.networks import check_finite, save_checkpoint
from mereq_algo.residual import LearningStep, ResidualSAC, ResidualSACCfg
from mereq_algo.runner import MEReQCfg, evaluate, train_policy
from mereq_tasks.arguments import TaskUsageError
from mereq_tasks.shipped import shipped_policy

from ..errors import check_writable
from ..opening import OpenedTask, opened_task, resolve_for
from ..plain_console import PlainConsole
from ..policies import environment_settings, find_policy
from ..provenance import command_line, versions
from ..report.policy_card import policy_card
from ..watch import evaluation_table

REPORT_INTERVAL = 100
"""Steps of all robots between two lines on the screen, and over which what they tell is averaged."""


def train_policy_file(args: argparse.Namespace, overrides: list[str]) -> None:
    """Trains a policy, evaluates it, and writes it with a card that people read.

    Args:
        args: The command line.
        overrides: Settings beside it.

    Raises:
        TaskUsageError: The command line asks for what cannot be, or nothing was learned.
        NotFiniteError: Learning broke.
    """
    for name, least in (("steps", 1), ("episodes", 2)):
        if getattr(args, name) < least:
            raise TaskUsageError(f"{name} is {getattr(args, name)}; at least {least} are needed")
    output = args.output or shipped_policy(args.task, args.reward)
    check_writable("policy", output)
    sources = {args.start: find_policy(args.task, args.start)} if args.start else {}
    settings = resolve_for(sources, args, overrides, trains=True)
    changed = environment_settings(settings.settings)
    if args.output is None and changed:
        raise TaskUsageError(
            f"the task's own {args.reward} is trained with the task's own settings, not with {' '.join(changed)}: say"
            " where else the policy goes, --output FILE"
        )
    if not args.start:  # one that is trained on has learnt the task already
        settings.env_cfg.curriculum = settings.env_cfg.training_curriculum
    cfg = MEReQCfg.from_dict(settings.agent).sac
    torch.manual_seed(args.seed)
    with opened_task(settings, sources, args.verbose) as opened:
        started_at = time.perf_counter()
        algorithm = learn(opened, settings.env_cfg.training_guide, cfg, args)
        minutes = (time.perf_counter() - started_at) / 60
        evaluation = evaluate_as_it_is(opened, algorithm, args)
        env, spec = opened.env, opened.spec
        card = {
            "command": command_line(),
            "reward": args.reward,
            "seed": args.seed,
            "num_envs": env.num_envs,
            "env_steps": args.steps * env.num_envs,
            "minutes": round(minutes, 1),
            "device": str(env.device),
            "versions": versions(),
            "evaluation": evaluation,
        }
        info = spec.policy_info(float(algorithm.temperature), card)
        save_checkpoint(output, algorithm.policy, algorithm.critic, info)
        write_text(output.with_suffix(".md"), policy_card(spec.task, card))
        console = PlainConsole()
        console.print(evaluation_table({args.reward: evaluation}, spec.task))
        console.print(f"policy: {output}")


def learn(opened: OpenedTask, training_guide: Any, cfg: ResidualSACCfg, args: argparse.Namespace) -> ResidualSAC:
    """Trains the policy, and shows where it stands.

    Args:
        opened: The task, with the policy to start from, if any.
        training_guide: Makes what begins some robots' episodes, of tasks that have such a thing.
        cfg: Settings of the actor-critic.
        args: The command line.

    Raises:
        TaskUsageError: There were too few steps for a single update.
        NotFiniteError: Learning broke.
    """
    env, spec = opened.env, opened.spec
    is_expert = args.reward == "expert"
    theta = spec.theta_star if is_expert else torch.zeros_like(spec.theta_star)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=PlainConsole()) as progress:
        bar = progress.add_task(f"training the {args.reward}", total=args.steps)
        recent: deque[torch.Tensor] = deque(maxlen=REPORT_INTERVAL)

        def on_step(step: int, taken: LearningStep) -> None:
            progress.update(bar, completed=step)
            values = torch.cat((taken.transition["base_reward"].unsqueeze(1), taken.transition["features"]), dim=1)
            recent.append(values.nanmean(dim=0))
            if step % REPORT_INTERVAL == 0:
                means = torch.stack(tuple(recent)).mean(dim=0).tolist()
                named = zip(("reward", *spec.feature_names), means, strict=True)
                text = ", ".join(f"{name} {mean:.3f}" for name, mean in named)
                progress.console.print(f"step {step}: {text}", highlight=False, soft_wrap=True)

        # A prior that is trained on knows what to do; an expert that starts as the prior must change it.
        make_guide = training_guide if is_expert or not args.start else None
        guide = make_guide and make_guide(opened.unwrapped, is_expert)
        start = opened.policies[args.start] if args.start else None
        algorithm = train_policy(env, theta, args.steps, cfg, args.seed, start, on_step, guide)
    if algorithm.num_updates == 0:
        raise TaskUsageError(
            f"nothing was learned: {args.steps * env.num_envs} steps are too few, learning starts at"
            f" {cfg.learning_starts} (more --steps or robots, or a smaller agent.sac.learning_starts)"
        )
    check_finite({"policy": algorithm.policy.state_dict(), "critic": algorithm.critic.state_dict()})
    return algorithm


def evaluate_as_it_is(opened: OpenedTask, algorithm: ResidualSAC, args: argparse.Namespace) -> dict[str, Any]:
    """Returns the figures of the trained policy in the task as it is.

    What fades out with the steps of training is over, however few they were.
    """
    env = opened.env
    opened.unwrapped.common_step_counter = sys.maxsize
    torch.manual_seed(args.seed + 1)
    env.reset()
    generator = torch.Generator(env.device).manual_seed(args.seed)
    evaluations = evaluate(env, {args.reward: algorithm.policy}, opened.spec, args.episodes, generator)
    return evaluations[args.reward].as_dict()
