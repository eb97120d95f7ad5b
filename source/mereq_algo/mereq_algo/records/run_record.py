# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What has happened in a run so far: the one source of summary.json, of TensorBoard and of the display."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..irl import RateBound
    from .evaluation_table import Evaluation

TIMES = frozenset(
    (
        "wall_time_s",
        "sim_time_s",
        "raw_sim_time_s",
        "round_wall_time_s",
        "env_steps_per_s",
        "raw_env_steps_per_s",
        "simulation_share",
    )
)
"""Entries of summary.json that two runs of one seed need not share."""


@dataclass
class RunRecord:
    """Figures of a MEReQ run. Lists have one entry a round; names and units are those of summary.json."""

    task: str
    method: str
    seed: int
    device: str
    num_envs: int
    """Robots of each process."""

    threshold: float
    """δ of the stop rule."""

    feature_names: list[str]
    person: str = "synthetic"
    """Who supervised: ``synthetic``, ``live`` or ``recorded``."""

    world_size: int = 1
    """Processes that learned as one, each with ``num_envs`` robots."""

    confidence: float = 0.95
    """Of the upper bounds."""

    theta_star: dict[str, float] = field(default_factory=dict)
    """The synthetic person's true weights, for reports; the learner never sees them."""

    texts: dict[str, Any] = field(default_factory=dict)
    """What people are told about the task; see :class:`TaskTexts`."""

    actions: str = "sampled"
    """Which actions the policies took in all of these figures; an arm gets the mean ones."""

    status: str = "running"
    """``running``, ``converged``, ``budget_spent``, ``stopped`` (by the person), ``learned`` or ``content`` (from
    recordings; ``content`` where the person never took over), ``nothing_learned`` (there was something to learn from,
    and the policy did not change), ``interrupted`` or ``failed``."""

    outcome: str = ""
    """Whether the policy is another than the one that was watched first, and if not why, in a sentence."""

    rounds_tried: int = 0
    """Rounds after which the method was to learn."""

    rounds_learned: int = 0
    """Rounds after which the policy was another than before."""

    converged: bool = False
    intervention_rate: list[float] = field(default_factory=list)
    intervention_rate_upper: list[float] = field(default_factory=list)
    """Upper confidence bound."""

    num_takeovers: list[int] = field(default_factory=list)
    expert_samples: list[int] = field(default_factory=list)
    """Steps that the person controlled, cumulative."""

    round_wall_time_s: list[float] = field(default_factory=list)
    """Wall time at the end of each supervised rollout, cumulative."""

    gradient_norm: list[float] = field(default_factory=list)
    """‖∇θ‖ at the end of each inner loop."""

    theta_history: list[dict[str, float]] = field(default_factory=list)
    """θ in reward a step and unit of the unscaled feature, at the end of each inner loop."""

    feature_expectation: dict[str, dict[str, float]] = field(default_factory=dict)
    """``target``, ``learner`` and ``prior``: mean of each feature a step."""

    rollout_intervention_rate: list[float] = field(default_factory=list)
    """The rate with all robots that the person might have watched: less noise than ``intervention_rate``, for
    comparisons. Neither the learner nor the stop rule sees it."""

    rollout_intervention_rate_upper: list[float] = field(default_factory=list)
    """Its upper confidence bound."""

    rollout_success_rate: list[float] = field(default_factory=list)
    """Share of successful episodes of the robots that nobody supervised, exploration included."""

    rollout_metrics: list[dict[str, float]] = field(default_factory=list)
    """The task's own figures of those episodes."""

    rollout_return_expert_reward: list[float] = field(default_factory=list)
    """Their mean return of r + θ*ᵀf."""

    rollout_return_prior_reward: list[float] = field(default_factory=list)
    """Their mean return of the task's own reward r."""

    num_rejected: int = 0
    """Transitions that were not finite and never reached the replay buffer."""

    num_broken: int = 0
    """Episodes of any robot that ended because physics broke."""

    wall_time_s: float = 0.0
    sim_time_s: float = 0.0
    """Part of the wall time that was spent inside the environment, on a CPU beside learning."""

    env_steps: int = 0
    """Steps of all robots together."""

    raw_sim_time_s: float = 0.0
    """Time of the supervised rollouts inside the environment, when nothing is learned beside it; of the first round,
    in which kernels are loaded, nothing."""

    raw_env_steps: int = 0
    """Steps of all robots in that time."""

    evaluation: dict[str, dict[str, Any]] = field(default_factory=dict)
    """``prior``, ``aligned`` and, where there is one, ``expert``, side by side; see :meth:`Evaluation.as_dict`."""

    expert_return_gap_closed: float | None = None
    """(R_aligned − R_prior) / (R_expert − R_prior), with returns of r + θ*ᵀf; None without an expert."""

    success_rate: float | None = None
    """Of the aligned policy."""

    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, str] = field(default_factory=dict)
    command: str = ""

    @property
    def rounds(self) -> int:
        """Number of supervised rollouts."""
        return len(self.intervention_rate)

    @property
    def theta(self) -> dict[str, float]:
        """θ by feature name, in reward a step and unit of the unscaled feature."""
        return self.theta_history[-1] if self.theta_history else dict.fromkeys(self.feature_names, 0.0)

    @property
    def env_steps_per_s(self) -> float:
        """Steps of all robots a second of wall time."""
        return self.env_steps / self.wall_time_s if self.wall_time_s else 0.0

    @property
    def raw_env_steps_per_s(self) -> float:
        """Steps of all robots a second inside the environment while nothing is learned."""
        return self.raw_env_steps / self.raw_sim_time_s if self.raw_sim_time_s else 0.0

    @property
    def simulation_share(self) -> float:
        """Share of the wall time that simulation alone would have taken: rate of the run by raw rate."""
        return self.env_steps_per_s / self.raw_env_steps_per_s if self.raw_sim_time_s else 0.0

    def intervention_length(self, num_rounds: int = 2) -> float:
        """Return how long an intervention lasted, over the last few rounds.

        A round alone may have too few to tell: five episodes without any say nothing of how long the next one would be.

        Args:
            num_rounds: Rounds that count.

        Returns:
            Mean length; 0 without an intervention in these rounds [steps].
        """
        before = self.expert_samples[-num_rounds - 1] if len(self.expert_samples) > num_rounds else 0
        num_steps = self.expert_samples[-1] - before if self.expert_samples else 0
        return num_steps / max(sum(self.num_takeovers[-num_rounds:]), 1)

    def note_rollout(self, alone: Evaluation, bound: RateBound) -> None:
        """Note what only reports see of a round: robots that nobody watched.

        Args:
            alone: Whole episodes of robots that ran alone.
            bound: Intervention rate of all robots that could have been watched.
        """
        metrics = {name: estimate.mean for name, estimate in alone.metrics.items()}
        self.rollout_intervention_rate.append(bound.rate)
        self.rollout_intervention_rate_upper.append(bound.upper)
        self.rollout_success_rate.append(metrics["success"])
        self.rollout_metrics.append(metrics)
        self.rollout_return_expert_reward.append(alone.return_expert_reward.mean)
        self.rollout_return_prior_reward.append(alone.return_prior_reward.mean)

    def as_summary(self) -> dict[str, Any]:
        """Return the content of summary.json."""
        return {
            **asdict(self),
            "rounds": self.rounds,
            "theta": self.theta,
            "env_steps_per_s": self.env_steps_per_s,
            "raw_env_steps_per_s": self.raw_env_steps_per_s,
            "simulation_share": self.simulation_share,
        }
