# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Franka-PushBottle: push near the base, so that the bottle stands."""

import gymnasium as gym

gym.register(
    id="Franka-PushBottle",
    entry_point="mereq_tasks.task_env:TaskEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.push_bottle_env_cfg:FrankaPushBottleEnvCfg",
        "rsl_rl_cfg_entry_point": f"{__name__}.agents.rsl_rl_ppo_cfg:FrankaPushBottlePPORunnerCfg",
        "rsl_rl_residual_cfg_entry_point": f"{__name__}.agents.rsl_rl_ppo_cfg:FrankaPushBottleResidualPPORunnerCfg",
        "mereq_cfg_entry_point": f"{__name__}.agents:mereq.yaml",
        "view_cfg_entry_point": f"{__name__}.view:PushBottleViewCfg",
        "default_agent": "rsl_rl",
    },
)
