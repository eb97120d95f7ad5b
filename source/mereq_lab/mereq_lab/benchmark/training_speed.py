# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How fast MEReQ learns: steps of the environment a second in its inner loop, and where the time goes."""

from __future__ import annotations

import dataclasses
import time
from functools import partial
from typing import Any

import torch
from rsl_rl.env import VecEnv

from mereq_algo.irl import MaxEntIRL, MaxEntIRLCfg
from mereq_algo.methods import FeatureWindow, InnerLoopCfg, run_inner_loop
from mereq_algo.networks import GaussianPolicy
from mereq_algo.ranks import Ranks
from mereq_algo.residual import LinearReward, ResidualSAC, ResidualSACCfg, build_residual_sac

from .speed import synchronize
from .stopwatch import Stopwatch

SHARES = ("physics", "environment", "replay", "learning")
"""What the time is divided into. ``environment`` is what it does beside physics: actions, observations, rewards and
resets; ``replay`` is to store transitions, and on a CPU to draw batches, which on a GPU is part of ``learning``."""


class TrainingSpeed:
    """The inner loop of MEReQ on a task, with a target that it never reaches."""

    def __init__(
        self,
        env: VecEnv,
        prior: GaussianPolicy,
        prior_temperature: float,
        sac: ResidualSACCfg,
        irl: MaxEntIRLCfg,
        inner: InnerLoopCfg,
        ranks: Ranks | None = None,
        others: Ranks | None = None,
    ) -> None:
        """Put the parts together, as the main job does.

        Args:
            env: The environment.
            prior: The policy that is to be aligned.
            prior_temperature: Temperature that it was trained at [reward/nat].
            sac: Settings of the actor-critic.
            irl: Settings of max-ent IRL.
            inner: Pace of the inner loop.
            ranks: Processes that learn as one.
            others: Processes that measure at the same time, and take as many steps; ``ranks`` when left out.
        """
        self._env = env
        ranks = ranks or Ranks()
        self._others = others or ranks
        self._irl_cfg, self._inner = irl, inner
        num_features = env.get_observations()["features"].shape[1]
        self._scale = torch.ones(num_features, device=env.device)
        reward = LinearReward(0.0, torch.zeros(num_features, device=env.device), self._scale)
        sac = dataclasses.replace(sac, prior_temperature=prior_temperature)
        self.algorithm: ResidualSAC = build_residual_sac(
            env, reward, sac, prior=prior, ranks=ranks, learns_successor_features=irl.objective == "actions"
        )
        self._window = FeatureWindow(inner.window, slice(None), ranks)
        self._window.add(env.get_observations()["features"])

    def run(self, num_steps: int) -> float:
        """Learn for some steps of all robots, and return the time that it took [s]."""
        irl = MaxEntIRL(self._scale, self._irl_cfg)
        target = self._window.mean() + self._scale
        cfg = dataclasses.replace(self._inner, max_steps=num_steps, min_steps=num_steps + 1)
        names = [str(index) for index in range(len(self._scale))]
        synchronize(self._env.device)
        start = time.perf_counter()
        run_inner_loop(
            self._env, self.algorithm, irl, partial(irl.gradient, target), self._window, cfg, names, lambda _: None
        )
        synchronize(self._env.device)
        return time.perf_counter() - start

    def rates(self, seconds: float, repeats: int, warm_up_s: float) -> list[float]:
        """Measure env-steps/s.

        Args:
            seconds: Length of a repeat, about [s].
            repeats: Number of repeats.
            warm_up_s: For how long to learn before, about [s].

        Returns:
            Of each repeat.
        """
        step_s = self.run(10) / 10
        for _ in range(2):  # the first steps are slow: kernels are loaded, graphs recorded
            num_steps = self._agreed(0.5 * warm_up_s / step_s)
            step_s = self.run(num_steps) / num_steps
        num_steps = self._agreed(seconds / step_s)
        return [num_steps * self._env.num_envs / self.run(num_steps) for _ in range(repeats)]

    def _agreed(self, num_steps: float) -> int:
        return self._others.from_first(max(round(num_steps), 10))

    def shares(self, num_steps: int = 50) -> dict[str, float]:
        """Measure where the time goes, in steps of their own: on a GPU each part is waited for.

        Args:
            num_steps: Steps of all robots.

        Returns:
            Share of the wall time, by the names in :data:`SHARES`. On a CPU learning has a thread of its own, and they
            add up to more than 1.
        """
        on_gpu = torch.device(self._env.device).type == "cuda"
        watch = Stopwatch((lambda: synchronize(self._env.device)) if on_gpu else lambda: None)
        env: Any = self._env  # rsl_rl does not declare what is inside
        parts = {
            "physics": (env.unwrapped.sim, "step"),
            "step": (self._env, "step"),
            "add": (self.algorithm.storage, "add"),
            "update": (self.algorithm, "update"),
        }
        if not on_gpu:
            parts["sample"] = (self.algorithm.storage, "sample")
        with watch.timing(**parts):
            wall = self.run(num_steps)
        seconds = watch.seconds
        found = {
            "physics": seconds["physics"],
            "environment": seconds["step"] - seconds["physics"],
            "replay": seconds["add"] + seconds["sample"],
            "learning": seconds["update"] - seconds["sample"],
        }
        return {name: found[name] / wall for name in SHARES}
