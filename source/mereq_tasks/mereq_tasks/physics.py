# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Physics backends of the task suite, selectable by Isaac Lab's presets (``physics=...``)."""

from __future__ import annotations

import torch
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg
from isaaclab_ov.physics import OvPhysxCfg
from isaaclab_physx.physics import PhysxCfg

from isaaclab.physics import PhysxAutoCfg
from isaaclab.utils import configclass

from isaaclab_tasks.utils import PresetCfg


def default_device() -> str:
    """Returns the first GPU, or the CPU of a machine without one."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"


@configclass
class PhysicsCfg(PresetCfg):
    """Newton by default: it runs without Isaac Sim, on the CPU and on CUDA. PhysX where Isaac Sim is installed."""

    isaacsim_physx: PhysxCfg = PhysxCfg(bounce_threshold_velocity=0.2)
    ovphysx: OvPhysxCfg = OvPhysxCfg()
    physx: PhysxAutoCfg = PhysxAutoCfg(isaacsim_physx=isaacsim_physx, ovphysx=ovphysx)
    newton_mjwarp: NewtonCfg = NewtonCfg(
        # A flat eraser on a board makes 4 contacts with 4 friction-pyramid rows each; room for 6. The solver's cost on
        # the CPU grows with njmax: 24 instead of the default 300 gave 2,780 instead of 2,000 env-steps/s.
        solver_cfg=MJWarpSolverCfg(njmax=24, nconmax=6, integrator="implicitfast", iterations=100, ls_iterations=50),
    )
    default: NewtonCfg = newton_mjwarp
