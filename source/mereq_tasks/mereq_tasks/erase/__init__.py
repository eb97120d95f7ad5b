# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Franka-Erase: press hard enough that the ink goes."""

import gymnasium as gym

gym.register(
    id="Franka-Erase",
    entry_point="mereq_tasks.task_env:TaskEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.erase_env_cfg:FrankaEraseEnvCfg",
        "rsl_rl_cfg_entry_point": f"{__name__}.agents.rsl_rl_ppo_cfg:FrankaErasePPORunnerCfg",
        "rsl_rl_residual_cfg_entry_point": f"{__name__}.agents.rsl_rl_ppo_cfg:FrankaEraseResidualPPORunnerCfg",
        "mereq_cfg_entry_point": f"{__name__}.agents:mereq.yaml",
        "view_cfg_entry_point": f"{__name__}.view:EraseViewCfg",
        "default_agent": "rsl_rl",
    },
)
