# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Evaluates a policy: its own reward, the person's, the features, and the task's figures.

Example:
    ./isaaclab.sh -p scripts/play.py --task Franka-Erase --policy expert --episodes 100
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _common import PlainConsole, check_writable, one_line_errors
from _opening import resolve_for
from _policies import find_policy, load_policy
from mereq_tasks.arguments import TaskUsageError, add_task_args, parse_task_args
from mereq_tasks.quiet import quiet

if TYPE_CHECKING:
    from mereq_algo.runner import TaskSpec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument("--policy", required=True, help="prior, expert, a run folder, or a policy file")
    parser.add_argument("--episodes", type=int, default=100, help="number of episodes (default: 100)")
    parser.add_argument("--deterministic", action="store_true", help="take mean actions instead of sampling")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    args, overrides = parse_task_args(parser)
    if args.episodes < 2:
        raise TaskUsageError(f"episodes is {args.episodes}; a standard error takes at least 2")
    if args.json is not None:
        check_writable("figures", args.json)
    source = find_policy(args.task, args.policy)

    import torch

    from mereq_algo.runner import TaskSpec, TimedEnv, evaluate, evaluation_table
    from mereq_algo.whole_file import write_text

    with quiet(not args.verbose):
        from mereq_tasks.launch import open_task

    settings = resolve_for({args.policy: source}, args, overrides, shows=True)
    if args.num_envs is None:
        settings.env_cfg.scene.num_envs = min(args.episodes, settings.env_cfg.scene.num_envs)
    console = PlainConsole()
    with open_task(settings, args.verbose) as task:
        env, spec = TimedEnv(task.env), TaskSpec(**task.names)
        spec.check(env)
        num_obs = env.get_observations()["policy"].shape[1]
        trained = load_policy(source, spec, num_obs, env.num_actions, env.device)
        torch.manual_seed(args.seed)
        env.reset()
        generator = None if args.deterministic else torch.Generator(env.device).manual_seed(args.seed)
        with console.status(f"playing {args.episodes} episodes"):
            evaluation = evaluate(env, {args.policy: trained.policy}, spec, args.episodes, generator)[
                args.policy
            ].as_dict()
    # The folder of a run is long, and its name says which it is.
    console.print(evaluation_table({Path(args.policy).name: evaluation}, f"{spec.task}, seed {args.seed}"))
    if args.json is not None:
        result = {"task": spec.task, "policy": args.policy, "seed": args.seed, **used(spec), **evaluation}
        text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
        write_text(args.json, text)
        console.print(f"figures: {args.json}")


def used(spec: TaskSpec) -> dict[str, Any]:
    """Returns what the task was opened with: settings, rate and step sizes."""
    assert spec.meaning is not None  # of every task of the suite
    meaning = spec.meaning
    return {"settings": list(spec.settings or ()), "rate_hz": meaning.rate_hz, "step_sizes": meaning.step_sizes}


if __name__ == "__main__":
    with one_line_errors():
        main()
