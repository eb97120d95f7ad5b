# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A round of supervision: a person watches a few robots, the others show what the policy does alone."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tensordict import TensorDict

from ..intervention import (
    ActionDistanceRule,
    AdvantageGapRule,
    Hysteresis,
    Person,
    SupervisedRollout,
    SyntheticPerson,
    collect_supervised_rollout,
)
from ..irl import EpisodeMeans, is_probably_above
from ..methods import FeatureWindow
from ..networks import GaussianPolicy, TrainedPolicy
from ..ranks import Ranks
from ..records.evaluation_table import Evaluation
from ..records.task_spec import TaskSpec
from .env_wrapper import EnvWrapper
from .evaluation import EpisodeRecorder
from .mereq_cfg import ConfigError, MEReQCfg, PersonCfg
from .timed_env import TimedEnv

EVALUATION_ROUND = 7
"""Policies are compared at the end from where the robots would start in this round, whatever the method and however
many rounds it may take: with one seed that is the same for all.

It comes after the last round of the tasks' defaults. Who takes more rounds has watched the first robots from there,
which in the comparison run the prior: the aligned policy has others.
"""


@dataclass
class SupervisedRound:
    """What a round of supervision showed."""

    rollout: SupervisedRollout
    """The robots that the person watched: all that they know, and all that it cost them."""

    all_watchable: SupervisedRollout
    """The same with all robots that they might have watched: for figures that must not depend on a few episodes."""

    transitions: list[TensorDict]
    """Steps of all robots under the same policy, save those that were supervised for figures only.
    Batch size of each: (num_robots,)"""

    window: FeatureWindow
    """The last features of the staggered robots."""

    alone: Evaluation
    """The robots that ran whole episodes of the policy alone."""

    episodes_alone: EpisodeMeans
    """How each of their episodes started, and its mean features."""

    seconds: float
    """Time spent in the environment, in which nothing was learned [s]."""

    env_steps: int
    """Steps of all robots together."""


def make_person(cfg: PersonCfg, expert: TrainedPolicy, num_robots: int, seed: int, device: str) -> SyntheticPerson:
    """Build the synthetic person."""
    rule = (
        AdvantageGapRule(expert.policy, expert.critic)
        if cfg.rule == "advantage_gap"
        else ActionDistanceRule(expert.policy)
    )
    hysteresis = Hysteresis(num_robots, cfg.hysteresis, device)
    generator = torch.Generator(device).manual_seed(seed)
    return SyntheticPerson(expert.policy, rule, hysteresis, generator)


class Supervision:
    """Splits the robots into three groups: watchable, alone, and staggered.

    The first two start their episodes together. The staggered ones are in all phases of an episode at any time, so that
    a short window of their features tells of the newest policy.

    Every watchable robot has a person beside it, since in simulation that costs nothing; but of most of them nobody
    hears, unless the person watches on.
    """

    def __init__(
        self, env: TimedEnv, spec: TaskSpec, expert: TrainedPolicy | None, cfg: MEReQCfg, ranks: Ranks | None = None
    ) -> None:
        """Decide who is in which group.

        Args:
            env: The environment.
            spec: Names of the task.
            expert: Stands for the person; None where :meth:`run` is always told who else does.
            cfg: Settings of the run.
            ranks: Processes that learn as one.

        Raises:
            ConfigError: Fewer robots than supervised ones.
        """
        if not 1 <= cfg.num_supervised <= env.num_envs - 2:
            raise ConfigError(
                f"num_envs is {env.num_envs} and num_supervised {cfg.num_supervised}: at least one robot must be"
                " supervised, and two must be free to show what the policy does alone"
            )
        self._env = env
        self._spec = spec
        self._expert = expert
        self._cfg = cfg
        self._ranks = ranks
        # Where there are few robots, most of them must be free to learn.
        self.num_watchable = max(cfg.num_supervised, min(cfg.max_supervised, env.num_envs // 4))
        num_free = env.num_envs - self.num_watchable
        first_staggered = self.num_watchable + min(cfg.num_alone, num_free // 2)
        self.alone = slice(self.num_watchable, first_staggered)
        self.staggered = slice(first_staggered, env.num_envs)

    def run(self, policy: GaussianPolicy, seed: int, person: Person | None = None) -> SupervisedRound:
        """Let a person watch whole episodes, from the start of all robots' episodes on.

        Args:
            policy: What drives the robots.
            seed: Seed of the person's and of the policy's actions.
            person: Who watches; the synthetic person when left out.
        """
        env, cfg = self._env, self._cfg
        if person is None:
            assert self._expert is not None, "the synthetic person is the expert"
            person = make_person(cfg.person, self._expert, self.num_watchable, seed, str(env.device))
        window = FeatureWindow(cfg.inner.window, self.staggered, self._ranks)
        num_alone = self.alone.stop - self.alone.start
        recorder = EpisodeRecorder(self._spec, num_alone, env.device, num_alone * cfg.episodes_per_robot)
        transitions: list[TensorDict] = []

        def on_step(transition: TensorDict, dones: torch.Tensor, extras: dict[str, Any]) -> None:
            window.add(transition["features"])
            recorder.add(transition[self.alone], dones[self.alone], extras, self.alone)
            transitions.append(transition)

        self.stagger()
        seconds, num_steps = env.seconds, env.num_steps
        everything = collect_supervised_rollout(
            env,
            policy,
            person,
            self.num_watchable,
            cfg.episodes_per_robot,
            torch.Generator(env.device).manual_seed(seed),
            on_step,
            is_enough=lambda: recorder.is_complete,
        )
        watched = watch_on(
            everything,
            cfg.num_supervised,
            cfg.intervention_threshold,
            cfg.person.hysteresis.patience_handback,
            cfg.watch_on_confidence,
        )
        robots = torch.arange(env.num_envs, device=env.device)
        heard_of = (robots < watched.num_supervised) | (robots >= self.num_watchable)
        return SupervisedRound(
            rollout=watched,
            all_watchable=everything,
            transitions=[transition[heard_of] for transition in transitions],
            window=window,
            alone=recorder.result(),
            episodes_alone=recorder.episode_means(),
            seconds=env.seconds - seconds,
            env_steps=env.num_steps - num_steps,
        )

    def stagger(self) -> None:
        """Cut the first episodes of the staggered robots short, so that they are in all phases when it ends."""
        length = self._env.episode_length_buf.clone()
        max_length = int(torch.as_tensor(self._env.max_episode_length).max())
        length[self.staggered] = torch.randint_like(length[self.staggered], max_length)
        self._env.episode_length_buf = length


def begin_round(env: EnvWrapper, seed: int) -> None:
    """Give a round its own seed, so that a resumed run draws what an uninterrupted one would have drawn."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    env.reset()


def watch_on(
    everything: SupervisedRollout, num_robots: int, threshold: float, intervention_length: float, confidence: float
) -> SupervisedRollout:
    """Return the robots that a person watches: a few, and twice as many until the rate is probably above the goal.

    Only many episodes can show that a person is content. A rate above the goal shows that they are not, but not where
    it comes of one or two interventions: one of ten steps is a tenth of an episode of Franka-Erase, and a third of such
    episodes has one where the person controls 3 % of all steps.

    Args:
        everything: All robots that can be watched.
        num_robots: How many are watched at first.
        threshold: Intervention rate δ that is the goal.
        intervention_length: Steps that an intervention lasts at least; see :func:`is_probably_above`.
        confidence: Probability with which the rate is above δ, from which on nobody watches any longer.
    """
    watched = everything.of_first(num_robots)
    while watched.num_supervised < everything.num_supervised:
        counts = watched.expert_samples, watched.num_takeovers, watched.num_steps
        if is_probably_above(threshold, *counts, intervention_length, confidence):
            break
        watched = everything.of_first(2 * watched.num_supervised)
    return watched
