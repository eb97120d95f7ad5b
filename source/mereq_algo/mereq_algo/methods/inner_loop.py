# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Between two supervised rollouts: fit θ and the policy to the target features."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from rsl_rl.env import VecEnv
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..irl import MaxEntIRL
from ..ranks import Ranks
from ..residual import Algorithm, Guide, LearningLoop
from ..storage import BrokenPhysicsError


@dataclass
class InnerLoopCfg:
    """How θ and the policy are fitted to the target features between two supervised rollouts."""

    max_steps: int = 500
    """Budget of one round [steps of all robots]. Source: ours, measured on Franka-Erase."""

    min_steps: int = 100
    """Steps before a round may end early [steps of all robots]. Source: ours: one episode, so that the learner's
    features are all of this round's policies."""

    theta_interval: int = 5
    """Steps of all robots between two steps of θ. Range: >= 1. Source: ours: the policy must follow θ."""

    final_rate: float = 0.1
    """Share to which the learning rate, and with it the step of θ, falls by the end of the budget. Range: (0, 1].
    Source: measurement (Franka-Erase): the person judges the last policy, and under a constant rate that one had three
    times the excess force of the policies shortly before it."""

    window: int = 40
    """Steps over which the learner's features are averaged. Range: >= 1. Source: ours: two seconds at 20 Hz. Longer
    windows tell θ of a policy that is no more."""

    guided_share: float = 0.0
    """Share of the robots whose episodes a clone of what was seen under supervision begins (:class:`JumpStart`), at
    most those that nothing is measured of. Range: [0, 1]. Source: ours, measured (Franka-PickPlace,
    docs/notebook); 0 is the paper's."""

    average_steps: int = 50
    """Steps of all robots over which the policy's weights are averaged, newer ones counting more; the person judges the
    average. Range: >= 1, the last policy alone. Source: measurement (Franka-Erase, docs/notebook): θ and the
    policy chase each other, so the last policy presses now too hard, now too softly. In six rounds it was over the
    force limit 1.2 % of the time, the average 0.7 %."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("max_steps", "theta_interval", "window", "average_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"inner loop: {name} is {getattr(self, name)}; it must be at least 1")
        if not 0.0 < self.final_rate <= 1.0:
            raise ValueError(f"inner loop: final_rate is {self.final_rate}; it must be in (0, 1]")
        if not 0.0 <= self.guided_share <= 1.0:
            raise ValueError(f"inner loop: guided_share is {self.guided_share}; it must be in [0, 1]")


@dataclass
class InnerLoopProgress:
    """Where the inner loop stands."""

    step: int
    """Steps of all robots so far in this round."""

    max_steps: int
    """Its budget."""

    gradient_norm: float
    """‖∇θ‖ in scaled features."""

    learner_features: torch.Tensor
    """f̄(π̂). Shape: (num_features,)"""

    theta: dict[str, float]
    """θ by feature name, in reward a step and unit of the unscaled feature."""

    losses: dict[str, float]
    """What residual Q-learning reports."""

    converged: bool = False
    """Whether ‖∇θ‖ < ε."""


class FeatureWindow:
    """Features of the learner over the last few steps.

    The robots that are measured pass through the phases of an episode at different times, so every step shows all
    phases and a short window is enough: what it tells of the policy is new.
    """

    def __init__(self, num_steps: int, robots: slice, ranks: Ranks | None = None) -> None:
        """Start empty.

        Args:
            num_steps: Steps kept.
            robots: Robots that are measured.
            ranks: Processes over whose robots together the mean is taken; this one alone when left out.
        """
        self._ranks = ranks or Ranks()
        self._steps: deque[torch.Tensor] = deque(maxlen=num_steps)
        self.robots = robots

    def add(self, features: torch.Tensor) -> None:
        """Take in one step of all robots, without waiting for the device. Shape: (num_envs, num_features)."""
        self._steps.append(features[self.robots])

    def state_dict(self) -> dict[str, Any]:
        """Return the steps, without transitions whose features are not all finite: they tell nothing."""
        return {"steps": [features[torch.isfinite(features).all(dim=1)] for features in self._steps]}

    def load_state_dict(self, state: dict[str, Any], device: torch.device | str) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._steps.extend(features.to(device) for features in state["steps"])

    def samples(self) -> torch.Tensor:
        """Return the features of every transition in the window but of those with one that is not finite.

        Shape: (num_transitions, num_features).
        """
        features = torch.cat(tuple(self._steps))
        return features[torch.isfinite(features).all(dim=1)]

    def mean(self) -> torch.Tensor:
        """Return f̄(π̂) over the robots of all ranks, which all have to ask for it. Shape: (num_features,).

        Raises:
            BrokenPhysicsError: No transition in the window is finite.
        """
        return self._checked(self._ranks.mean_of_rows(self.samples()))

    def mean_here(self) -> torch.Tensor:
        """Return the same over the robots of this rank alone; see :meth:`mean`."""
        return self._checked(self.samples().mean(dim=0))

    def _checked(self, mean: torch.Tensor) -> torch.Tensor:
        if not torch.isfinite(mean).all():
            raise BrokenPhysicsError(f"physics broke: no finite features in the last {len(self._steps)} steps")
        return mean


def run_inner_loop(
    env: VecEnv,
    algorithm: Algorithm,
    irl: MaxEntIRL,
    gradient_at: Callable[[torch.Tensor], torch.Tensor],
    window: FeatureWindow,
    cfg: InnerLoopCfg,
    feature_names: Sequence[str],
    on_progress: Callable[[InnerLoopProgress], None] | None = None,
    guide: Guide | None = None,
) -> InnerLoopProgress:
    """Alternate steps of θ with residual Q-learning until ‖∇θ‖ < ε or the budget is spent.

    The policy is then set to the average of those of the last steps.

    Args:
        env: The environment.
        algorithm: What learns the policy; its reward follows θ, and so does every transition that it ever stored.
        irl: Max-ent IRL; holds θ.
        gradient_at: Takes f̄(π̂), and returns ∇θ. Shapes: (num_features,)
        window: Features of the policy at the start, from the robots that nobody supervised.
        cfg: Budget and pace.
        feature_names: For the reports.
        on_progress: Called after each step of θ.
        guide: Acts in the place of the policy on some robots that the window does not measure.

    Returns:
        Where the loop ended.
    """

    def theta_by_name() -> dict[str, float]:
        return dict(zip(feature_names, (irl.theta / irl.feature_scale).tolist(), strict=True))

    progress = InnerLoopProgress(0, cfg.max_steps, float("nan"), window.mean(), theta_by_name(), {})
    losses: dict[str, torch.Tensor] = {}
    parameters: list[torch.Tensor] = list(algorithm.policy.parameters())
    average: list[torch.Tensor] = []
    follow = get_ema_multi_avg_fn(1.0 - 1.0 / cfg.average_steps)
    with LearningLoop(env, algorithm, guide) as loop:
        for step in range(1, cfg.max_steps + 1):
            rate = 1.0 - (1.0 - cfg.final_rate) * step / cfg.max_steps
            algorithm.scale_learning_rate(rate)
            taken = loop.step()
            if average:
                follow(average, parameters, step)
            else:
                average = [parameter.detach().clone() for parameter in parameters]
            window.add(taken.transition["features"])
            losses = taken.stats or losses
            if step % cfg.theta_interval:
                continue
            learner_features = window.mean()
            gradient = gradient_at(learner_features)
            progress = InnerLoopProgress(
                step=step,
                max_steps=cfg.max_steps,
                gradient_norm=float(gradient.norm()),
                learner_features=learner_features,
                theta=theta_by_name(),
                losses={name: float(value) for name, value in losses.items()},
                converged=step >= cfg.min_steps and irl.is_converged(gradient),
            )
            if on_progress is not None:
                on_progress(progress)
            if progress.converged:
                break
            algorithm.reward.theta.copy_(irl.step(rate * gradient))
    with torch.no_grad():
        for parameter, mean in zip(parameters, average, strict=True):
            parameter.copy_(mean)
    return progress
