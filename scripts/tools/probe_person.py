# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How often the synthetic person would take over, by threshold, and what that would teach: to choose a task's settings.

A person who is fit to judge takes over from the prior often and from the expert, who is themselves, hardly ever: a
threshold must be above most of what they mind in their own actions, or nobody gets the arm back. What a
round with the first of the policies would teach, the target features φ*, should be near the expert's own; the standard
error is that of as many episodes as the person watches in a round. The last line says what log π of the first policy
charges for what the person would do: where that is far more than the policy loses of its own reward, its Gaussian
is too narrow to learn under, and agent.sac.prior_floor bounds it.

Example:
    ./isaaclab.sh -p scripts/tools/probe_person.py --task Franka-PushBottle --thresholds 0.1 0.2 0.4
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.table import Table

from mereq_lab.opening import opened_task, resolve_for, with_person_of_run
from mereq_lab.plain_console import PlainConsole
from mereq_lab.policies import find_policy, without_settings
from mereq_lab.program import one_line_errors
from mereq_tasks.arguments import TaskUsageError, add_task_args, parse_task_args

if TYPE_CHECKING:
    from mereq_algo.intervention import HysteresisCfg

QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
"""Of the disagreement: where thresholds must be above the person's own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument(
        "--policies", nargs="+", default=["prior", "expert"], help="prior, expert, run folders or files (default: both)"
    )
    parser.add_argument(
        "--thresholds", type=float, nargs="+", help="for taking over (default: the task's, and half and twice as much)"
    )
    parser.add_argument("--handback", type=float, default=0.5, help="share of it for handing back (default: 0.5)")
    parser.add_argument("--patience", type=int, nargs="+", help="steps until they take over (default: the task's)")
    args, overrides = parse_task_args(parser)
    args.policies = without_settings(args.policies, overrides)
    sources = {name: find_policy(args.task, name) for name in args.policies}
    sources |= {"expert": find_policy(args.task, "expert")}

    if not 0.0 <= args.handback <= 1.0:
        raise TaskUsageError(f"handback is {args.handback}; it must be a share of the threshold, 0 to 1")

    import torch

    from mereq_algo.intervention import SupervisedRollout, collect_supervised_rollout
    from mereq_algo.irl import EpisodeMeans, StartEffect, TargetFeatures
    from mereq_algo.records import SAMPLED
    from mereq_algo.runner import MEReQCfg, make_person

    settings = resolve_for(sources, args, with_person_of_run(sources, overrides), shows=True)
    settings.env_cfg.scene.num_envs = args.num_envs or 64
    cfg = MEReQCfg.from_dict(settings.agent)
    usual = cfg.person.hysteresis
    thresholds = args.thresholds or [factor * usual.takeover_threshold for factor in (0.5, 1.0, 2.0)]
    table = Table("take over at", "hand back at", "patience", *args.policies)
    with opened_task(settings, sources, args.verbose) as opened:
        env, spec, trained = opened.env, opened.spec, opened.policies

        def watched(name: str, hysteresis: HysteresisCfg) -> SupervisedRollout:
            """Lets the person watch an episode of every robot, always from the same states."""
            torch.manual_seed(args.seed)
            env.reset()
            judged_by = replace(cfg.person, hysteresis=hysteresis)
            person = make_person(judged_by, trained["expert"], env.num_envs, args.seed, str(env.device))
            generator = torch.Generator(env.device).manual_seed(args.seed)
            return collect_supervised_rollout(env, trained[name].policy, person, env.num_envs, generator=generator)

        def charge_for_the_person(rollout: SupervisedRollout, floor: float) -> float:
            """Returns α (log π_E(a) − log π(a)) of the person's actions a, mean over the steps [reward a step]."""
            obs = rollout.valid_transitions()["obs"]
            learned, wanted = (trained[name].policy.distribution(obs) for name in (first, "expert"))
            pre_tanh = wanted.rsample(torch.Generator(env.device).manual_seed(args.seed))[1]
            charge = wanted.log_prob(pre_tanh) - learned.log_prob(pre_tanh) - learned.log_floor_ratio(pre_tanh, floor)
            return trained[first].info.temperature * float(charge.mean())

        def features_of(rollout: SupervisedRollout, start_effect: StartEffect | None) -> list[str]:
            """Returns what such a rollout teaches, feature by feature, and how sure a round of the usual size is."""
            target = TargetFeatures(len(spec.feature_names), cfg.target)
            target.add_round(rollout, start_effect)
            value = target.value()
            assert value is not None
            error = target.standard_error() * (rollout.num_supervised / cfg.num_supervised) ** 0.5
            return [f"{mean:.3f} ± {spread:.3f}" for mean, spread in zip(value.tolist(), error.tolist(), strict=True)]

        def alone_row(rollout: SupervisedRollout) -> list[str]:
            """Returns how soon episodes succeed that nobody corrects, and how much the person minds their actions."""
            rule = make_person(cfg.person, trained["expert"], env.num_envs, args.seed, str(env.device)).rule
            minded = rule.disagreement(rollout.valid_transitions()["obs"], rollout.robot_action[rollout.valid])
            assert rollout.metrics is not None
            has_succeeded = (rollout.metrics[:, :, spec.metric_names.index("success")] > 0.5) & rollout.valid
            steps = has_succeeded.int().argmax(dim=0)[has_succeeded.any(dim=0)] + 1.0
            times = [f"{float(steps.quantile(share)):.0f}" if len(steps) else "never" for share in (0.5, 0.95)]
            return [*times, f"{float(minded.mean()):.3f}", *(f"{float(minded.quantile(at)):.3f}" for at in QUANTILES)]

        lessons = Table("features", *spec.feature_names)
        alike = Table("alone", "succeeds after", "95 % of them", "mean", *(f"{share:.0%}" for share in QUANTILES))
        never = replace(usual, takeover_threshold=float("inf"), cusum_limit=float("inf"))
        first = args.policies[0]
        start_effect = None
        rollouts: list[SupervisedRollout] = []
        for name in dict.fromkeys((*args.policies, "expert")):
            alone = watched(name, never)
            lessons.add_row(f"{name}, alone", *features_of(alone, None))
            alike.add_row(name, *alone_row(alone))
            if name == first and cfg.target.adjust_for_starts:
                episodes = EpisodeMeans.of(alone)
                start_effect = StartEffect.fit(episodes, episodes.starts)
        for threshold, patience in itertools.product(thresholds, args.patience or [usual.patience_takeover]):
            handback = args.handback * threshold
            hysteresis = replace(
                usual, takeover_threshold=threshold, handback_threshold=handback, patience_takeover=patience
            )
            rollouts = [watched(name, hysteresis) for name in args.policies]
            table.add_row(
                f"{threshold:g}",
                f"{handback:g}",
                str(patience),
                *(f"{rollout.intervention_rate:.1%} ({rollout.num_takeovers} takeovers)" for rollout in rollouts),
            )
            label = f"φ* of {first}, {threshold:g}, {handback:g}, {patience}"
            lessons.add_row(label, *features_of(rollouts[0], start_effect))
        charges = ", ".join(
            f"{charge_for_the_person(rollouts[0], floor):.2f} (floor {floor:g})"
            for floor in sorted({0.0, cfg.sac.prior_floor})
        )
    actions = f"actions {SAMPLED}"
    table.title = (
        f"{args.task}: share of the steps in which the person is in control, {env.num_envs} episodes, {actions}"
    )
    lessons.title = f"mean features a step ± standard error of {cfg.num_supervised} episodes, {actions}"
    alike.title = (
        f"steps until success; mean and quantiles of what the person minds a step ({cfg.person.rule}), {actions}"
    )
    charged = f"log π of {first} charges for the person's own actions, a step: {charges}"
    PlainConsole().print(table, alike, lessons, charged)


if __name__ == "__main__":
    with one_line_errors():
        main()
