# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Trains a task's prior or expert.

Examples:
    ./isaaclab.sh -p scripts/train_policy.py --task Franka-Erase --reward prior
    ./isaaclab.sh -p scripts/train_policy.py --task Franka-Erase --reward expert --start prior
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from _common import PlainConsole, check_writable, command_line, one_line_errors, versions
from _opening import resolve_for
from _policies import environment_settings, find_policy, load_policy
from mereq_tasks.arguments import TaskUsageError, add_task_args, parse_task_args
from mereq_tasks.quiet import quiet
from mereq_tasks.shipped import shipped_policy

if TYPE_CHECKING:
    from mereq_algo.residual import LearningStep

REPORT_INTERVAL = 100
"""Steps of all robots between two lines on the screen, and over which what they tell is averaged."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument("--reward", choices=("prior", "expert"), required=True, help="whose reward to train with")
    parser.add_argument("--start", metavar="POLICY", help="policy to start from (default: none, from scratch)")
    parser.add_argument("--steps", type=int, default=1600, help="steps of all robots (default: 1600)")
    parser.add_argument("--episodes", type=int, default=100, help="episodes of the evaluation (default: 100)")
    parser.add_argument(
        "--output", type=Path, help="policy file (default: assets/policies/<task>/<reward>.safetensors)"
    )
    args, overrides = parse_task_args(parser)

    for name, least in (("steps", 1), ("episodes", 2)):
        if getattr(args, name) < least:
            raise TaskUsageError(f"{name} is {getattr(args, name)}; at least {least} are needed")
    output = args.output or shipped_policy(args.task, args.reward)
    check_writable("policy", output)
    sources = {args.start: find_policy(args.task, args.start)} if args.start else {}

    import torch

    from mereq_algo.networks import check_finite, save_checkpoint
    from mereq_algo.runner import MEReQCfg, TaskSpec, TimedEnv, evaluate, evaluation_table, train_policy
    from mereq_algo.whole_file import write_text

    with quiet(not args.verbose):
        from mereq_tasks.launch import open_task

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
    with open_task(settings, args.verbose) as task:
        env, spec = TimedEnv(task.env), TaskSpec(**task.names)
        spec.check(env)
        theta = spec.theta_star if args.reward == "expert" else torch.zeros_like(spec.theta_star)
        num_obs = env.get_observations()["policy"].shape[1]
        start = None
        if args.start:
            start = load_policy(sources[args.start], spec, num_obs, env.num_actions, env.device)
        started_at = time.perf_counter()
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

            is_expert = args.reward == "expert"
            # A prior that is trained on knows what to do; an expert that starts as the prior must change it.
            make_guide = settings.env_cfg.training_guide if is_expert or not args.start else None
            guide = make_guide and make_guide(task.env.unwrapped, is_expert)
            algorithm = train_policy(env, theta, args.steps, cfg, args.seed, start, on_step, guide)
        if algorithm.num_updates == 0:
            raise TaskUsageError(
                f"nothing was learned: {args.steps * env.num_envs} steps are too few, learning starts at"
                f" {cfg.learning_starts} (more --steps or robots, or a smaller agent.sac.learning_starts)"
            )
        minutes = (time.perf_counter() - started_at) / 60
        check_finite({"policy": algorithm.policy.state_dict(), "critic": algorithm.critic.state_dict()})

        # What is judged is the task as it is: what fades out with the steps of training is over, however few they were.
        task.env.unwrapped.common_step_counter = sys.maxsize
        torch.manual_seed(args.seed + 1)
        env.reset()
        generator = torch.Generator(env.device).manual_seed(args.seed)
        evaluation = evaluate(env, {args.reward: algorithm.policy}, spec, args.episodes, generator)[
            args.reward
        ].as_dict()
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
        progress.console.print(evaluation_table({args.reward: evaluation}, spec.task))
        progress.console.print(f"policy: {output}")


def policy_card(task: str, card: dict[str, Any]) -> str:
    """Returns what people read of a policy, as Markdown."""
    evaluation = card["evaluation"]
    rows = [("success rate", evaluation["success_rate"])]
    rows += [(f"return, {whose}'s reward", evaluation[f"return_{whose}_reward"]) for whose in ("prior", "expert")]
    rows += [
        (name.replace("_", " "), value)
        for name, value in evaluation.items()
        if isinstance(value, dict) and {"mean", "stderr"} == set(value) and (name, value) not in rows
        if not name.startswith(("return_", "success"))
    ]
    lines = [
        f"# {task}: the {card['reward']}",
        "",
        f"Trained with `{card['command']}`: seed {card['seed']}, {card['num_envs']} robots, {card['env_steps']:,}"
        f" env-steps in {card['minutes']} minutes on {card['device']}.",
        "",
        f"Measured over {evaluation['episodes']} episodes, actions {evaluation['actions']} (mean ± standard error):",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value['mean']:.3f} ± {value['stderr']:.3f} |" for name, value in rows),
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in card["versions"].items()) + ".",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    with one_line_errors():
        main()
