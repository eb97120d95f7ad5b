# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The environment class of the suite."""

from __future__ import annotations

import logging
from typing import Any

import gymnasium as gym
import torch
from isaaclab.envs import ManagerBasedRLEnv, ManagerBasedRLEnvCfg
from isaaclab.envs.common import VecEnvStepReturn
from isaaclab.utils.dict import class_to_dict

from .meaning import policy_meaning
from .spaces import LEARNED_FROM, observation_space

logger = logging.getLogger(__name__)


class TaskEnv(ManagerBasedRLEnv):
    """Isaac Lab's environment, on the CPU where there is no GPU, with a count of broken physics.

    Isaac Lab's ``train``, ``play`` and ``benchmark`` ask for ``cuda:0`` unless told otherwise, whatever the task's own
    configuration says. The scripts of this project check the device themselves, before anything starts.
    """

    def __init__(self, cfg: ManagerBasedRLEnvCfg, render_mode: str | None = None, **kwargs):
        if cfg.sim.device.startswith("cuda") and not torch.cuda.is_available():
            logger.warning("device %s is not there: running on the CPU", cfg.sim.device)
            cfg.sim.device = "cpu"
        # Opening it replaces some numbers by tensors.
        self._cfg_as_opened = class_to_dict(cfg)
        super().__init__(cfg, render_mode, **kwargs)

    @property
    def policy_meaning(self) -> dict[str, Any]:
        """What actions and observations mean here; see :func:`~mereq_tasks.meaning.policy_meaning`."""
        return policy_meaning(self._cfg_as_opened)

    @property
    def own_policy_meaning(self) -> dict[str, Any]:
        """What they mean with the task's own settings, whatever was changed of them here."""
        return policy_meaning(class_to_dict(type(self.cfg)()))

    def _configure_gym_env_spaces(self):
        """Configures spaces that say how large observations and actions can get, which Isaac Lab's do not."""
        super()._configure_gym_env_spaces()
        spaces: gym.spaces.Dict = self.single_observation_space  # type: ignore[assignment]  # None once it is closed
        for group in LEARNED_FROM:
            if group in spaces.spaces:
                spaces[group] = observation_space(self.observation_manager, group)
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, self.single_action_space.shape)
        self.observation_space = gym.vector.utils.batch_space(spaces, self.num_envs)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, self.num_envs)

    def step(self, action: torch.Tensor) -> VecEnvStepReturn:
        """Steps all robots, and adds to ``extras`` what Isaac Lab keeps to itself.

        - ``broken``: whose physics broke. Isaac Lab's own log has the share of robots whose *last* episode ended so,
          however long ago that was. Shape: (num_envs,)
        - ``reward_terms``: what each term of the reward came to in this step. Shape: (num_envs, num_terms)
        """
        result = super().step(action)
        self.extras["broken"] = self.termination_manager.get_term("non_finite_state")
        # Isaac Lab shows them one robot at a time (get_active_iterable_terms), and as rates.
        self.extras["reward_terms"] = self.reward_manager._step_reward * self.step_dt
        return result
