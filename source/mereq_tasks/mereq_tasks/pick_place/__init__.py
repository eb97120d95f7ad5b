# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Franka-PickPlace: grip at the centre and carry level."""

import gymnasium as gym

gym.register(
    id="Franka-PickPlace",
    entry_point="mereq_tasks.task_env:TaskEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.pick_place_env_cfg:FrankaPickPlaceEnvCfg",
        "rsl_rl_cfg_entry_point": f"{__name__}.agents.rsl_rl_ppo_cfg:FrankaPickPlacePPORunnerCfg",
        "rsl_rl_residual_cfg_entry_point": f"{__name__}.agents.rsl_rl_ppo_cfg:FrankaPickPlaceResidualPPORunnerCfg",
        "mereq_cfg_entry_point": f"{__name__}.agents:mereq.yaml",
        "view_cfg_entry_point": f"{__name__}.view:PickPlaceViewCfg",
        "default_agent": "rsl_rl",
    },
)
