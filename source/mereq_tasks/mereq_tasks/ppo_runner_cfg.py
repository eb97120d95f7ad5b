# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO for rsl_rl users: for a task's own reward, and residual PPO, which customises the task's prior."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Any

from isaaclab.utils import configclass
from isaaclab_rl.rsl_rl import RslRlMLPModelCfg, RslRlOnPolicyRunnerCfg, RslRlPpoAlgorithmCfg

from .physics import default_device
from .preference import HumanPreference
from .shipped import shipped_policy

_PPO: dict[str, Any] = {
    "value_loss_coef": 1.0,
    "clip_param": 0.2,
    "num_learning_epochs": 5,
    "num_mini_batches": 4,
    "learning_rate": 1.0e-3,
    "schedule": "adaptive",
    "gamma": 0.97,
    "lam": 0.95,
    "max_grad_norm": 1.0,
}
"""Settings that PPO and residual PPO share."""


@configclass
class TaskPPORunnerCfg(RslRlOnPolicyRunnerCfg):
    """On-policy baseline. A task gives it the name under which its runs are kept."""

    device: str = default_device()
    num_steps_per_env: int = 24
    max_iterations: int = 300
    save_interval: int = 50
    experiment_name: str = MISSING
    obs_groups: dict[str, list[str]] = {"actor": ["policy"], "critic": ["policy"]}
    actor = RslRlMLPModelCfg(
        hidden_dims=[256, 256],
        activation="elu",
        obs_normalization=True,
        distribution_cfg=RslRlMLPModelCfg.GaussianDistributionCfg(init_std=0.5),
    )
    critic = RslRlMLPModelCfg(hidden_dims=[256, 256], activation="elu", obs_normalization=True)
    algorithm = RslRlPpoAlgorithmCfg(**_PPO, use_clipped_value_loss=True, entropy_coef=0.002, desired_kl=0.01)


@configclass
class PolicyActorCfg:
    """An actor that starts as a policy of a file; see :class:`mereq_algo.residual.PolicyActor`."""

    class_name: str = "mereq_algo.residual:PolicyActor"
    policy_file: str = MISSING
    """File of a policy, written by ``train_policy.py`` or ``train_mereq.py``."""

    # Isaac Lab looks for these two in every model.
    distribution_cfg: None = None
    stochastic: bool = False


@configclass
class ResidualPPOAlgorithmCfg(RslRlPpoAlgorithmCfg):
    """See :class:`mereq_algo.residual.ResidualPPO`."""

    class_name: str = "mereq_algo.residual:ResidualPPO"
    reward: dict[str, Any] = MISSING
    """The residual reward: ``theta``, weights of features by name, and ``base_weight`` of the task's own reward."""

    temperature: float | None = None
    """α̂ [reward/nat]; None is the prior's."""

    prior_weight: float = 1.0
    """ω, the weight of the prior's reward."""

    prior_floor: float = 0.0
    """Share of a uniform distribution that is mixed into the prior."""


@configclass
class TaskResidualPPORunnerCfg(TaskPPORunnerCfg):
    """Residual PPO. A task gives it a name, and itself and the residual reward by :meth:`customise`."""

    num_steps_per_env: int = 8
    actor: PolicyActorCfg = PolicyActorCfg()
    algorithm: ResidualPPOAlgorithmCfg = ResidualPPOAlgorithmCfg(
        **_PPO,
        use_clipped_value_loss=False,
        entropy_coef=0.0,  # it is in the reward
        desired_kl=0.03,
    )

    def customise(self, task: str, preference: HumanPreference) -> None:
        """Starts from a task's prior, and makes what a person wants the residual reward."""
        self.actor.policy_file = str(shipped_policy(task, "prior"))
        self.algorithm.reward = {"theta": dict(preference.weights), "base_weight": 0.0}
