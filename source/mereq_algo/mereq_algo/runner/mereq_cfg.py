# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Settings of a MEReQ run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ..errors import UserError
from ..intervention import HysteresisCfg
from ..irl import MaxEntIRLCfg, TargetFeaturesCfg
from ..methods import METHODS, CloningCfg, InnerLoopCfg, is_distinct
from ..residual import ResidualPPOCfg, ResidualSACCfg

RULES = ("advantage_gap", "action_distance")
"""Names of the ways to measure disagreement."""

LEARNERS = ("sac", "ppo")
"""Names of what learns a policy for an inferred reward."""


class ConfigError(UserError):
    """A setting is unknown or out of range. The message is one line."""


@dataclass
class PersonCfg:
    """How the synthetic person supervises."""

    rule: str = "advantage_gap"
    """How disagreement is measured: ``advantage_gap`` or ``action_distance``."""

    hysteresis: HysteresisCfg = field(default_factory=lambda: HysteresisCfg(0.3, 0.1))
    """When disagreement becomes an intervention."""

    def __post_init__(self) -> None:
        """Check the name of the rule, before any run folder exists."""
        if self.rule not in RULES:
            raise ValueError(f"unknown person.rule {self.rule!r}; choose {' or '.join(RULES)}")


@dataclass
class MEReQCfg:
    """Settings of :class:`SupervisionRunner`. Where the paper is silent the choice is ours, with its reason."""

    method: str = "mereq"
    """How a policy learns from what the person has shown: a name in :obj:`~mereq_algo.methods.METHODS`."""

    maxent_watches_prior_first: bool = False
    """With ``maxent``: whether the person watches the prior in the first round, and not the untrained policy that
    learns from then on. Source: ours: who starts from scratch has no prior. On Franka-Erase the first episode costs as
    much either way, and runs that saw the prior's were shorter (docs/notebook)."""

    learner: str = "sac"
    """What learns a policy for an inferred reward: ``sac`` (residual Q-learning) or ``ppo`` (residual PPO)."""

    sac: ResidualSACCfg = field(default_factory=ResidualSACCfg)
    """Residual Q-learning; discount, temperatures and weight of the prior are residual PPO's as well."""

    ppo: ResidualPPOCfg = field(default_factory=ResidualPPOCfg)
    """Residual PPO, where ``learner`` is ``ppo``."""

    irl: MaxEntIRLCfg = field(default_factory=MaxEntIRLCfg)
    """Max-ent IRL."""

    target: TargetFeaturesCfg = field(default_factory=TargetFeaturesCfg)
    """Target feature expectation."""

    cloning: CloningCfg = field(default_factory=CloningCfg)
    """Cloning, of the methods that clone."""

    person: PersonCfg = field(default_factory=PersonCfg)
    """The synthetic person."""

    inner: InnerLoopCfg = field(default_factory=InnerLoopCfg)
    """The loop between two supervised rollouts."""

    num_supervised: int = 5
    """Robots that the person watches in a round; people's time is what is scarce. Source: measurement (Franka-Erase,
    docs/notebook): ten took 723 to 791 expert samples where five took 577 to 674, and left no better a policy;
    one, which is that task's setting, took 124 to 373 where five took 346 to 460."""

    max_supervised: int = 50
    """The same, as long as they may still show an intervention rate of at most δ: the person then watches on, twice as
    many each time. At most a fourth of all robots; none beyond ``num_supervised`` where that is more. Source: ours: a
    single takeover in ten episodes leaves the bound at twice δ, a rate of 2 % in fifty puts it at 5 %, and watching
    costs a person little where they hardly intervene."""

    watch_on_confidence: float = 0.8
    """Probability, that the rate is above δ, at which the person stops watching on. Range: (0.5, 1). Source: ours,
    measured (Franka-Erase, docs/notebook): one robot with one intervention is above δ already; in one run that
    sent a policy with a rate of 2 to 5 % of fifty robots back to learning four times."""

    num_alone: int = 100
    """Robots that run whole episodes of the same policy beside the supervised ones, to show what it does alone; half of
    the rest where there are fewer. Source: ours: a standard error of at most 5 % of the success rate."""

    episodes_per_robot: int = 1
    """Episodes of each supervised robot in a round. Source: ours."""

    intervention_threshold: float = 0.05
    """δ: converged when the upper bound of the intervention rate is below it. Source: paper (0.15, 0.10, 0.05)."""

    confidence: float = 0.95
    """Confidence of that bound. Source: ours, the customary value."""

    max_rounds: int = 8
    """Supervised rollouts at most. Source: ours."""

    max_expert_samples: int | None = None
    """Steps that the person controls before the run ends, content or not; without a number there is no such end. The
    round in which they are reached is the last. Range: >= 1. Source: ours: people's time is what is scarce."""

    evaluation_episodes: int = 100
    """Episodes of each policy in the table at the end. Source: ours."""

    def __post_init__(self) -> None:
        """Check names and ranges, before any run folder exists."""
        if self.method not in METHODS:
            raise ValueError(f"unknown method {self.method!r}; choose {', '.join(METHODS)}")
        if self.learner not in LEARNERS:
            raise ValueError(f"unknown learner {self.learner!r}; choose {' or '.join(LEARNERS)}")
        if self.learner == "ppo" and self.inner.guided_share > 0.0:
            raise ValueError("inner.guided_share needs learner=sac: PPO learns from steps of its own policy only")
        if self.learner == "ppo" and self.irl.objective == "actions":
            raise ValueError("irl.objective=actions needs learner=sac: PPO learns no Q")
        if not is_distinct(self.method, self.irl.objective):
            raise ValueError(
                f"{self.method} needs irl.objective=features: what the person did leaves out the rest already"
            )
        for name in ("max_rounds", "num_supervised", "num_alone", "episodes_per_robot"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.max_expert_samples is not None and self.max_expert_samples < 1:
            raise ValueError(f"max_expert_samples is {self.max_expert_samples}; it must be at least 1")
        if self.evaluation_episodes < 2:
            raise ValueError("evaluation_episodes must be at least 2: a single one has no standard error")
        if not 0.0 < self.intervention_threshold < 1.0:
            raise ValueError(f"intervention_threshold is {self.intervention_threshold}; it must be in (0, 1)")
        for name in ("confidence", "watch_on_confidence"):
            if not 0.5 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in (0.5, 1)")

    @staticmethod
    def from_dict(values: dict[str, Any]) -> MEReQCfg:
        """Build the settings from nested dictionaries, as a YAML file or the command line gives them.

        Raises:
            ConfigError: A name is unknown, or a value of the wrong type or out of range.
        """
        try:
            return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(MEReQCfg), values))  # type: ignore
        except (OmegaConfBaseException, ValueError) as error:
            setting = getattr(error, "full_key", None)
            where = f"agent.{setting}" if setting else "agent settings"
            raise ConfigError(f"{where}: {str(error).splitlines()[0]}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dictionaries of plain values."""
        return OmegaConf.to_container(OmegaConf.structured(self))  # type: ignore
