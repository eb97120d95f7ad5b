# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Physics backends of the task suite, selectable by Isaac Lab's presets (``physics=...``)."""

from __future__ import annotations

import importlib.util
from typing import cast

import torch
from isaaclab.physics import PhysxAutoCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg, NewtonMJWarpManager
from isaaclab_ov.physics import OvPhysxCfg
from isaaclab_physx.physics import PhysxCfg
from isaaclab_tasks.utils import PresetCfg

from .arguments import TaskUsageError


def default_device() -> str:
    """Returns the first GPU, or the CPU of a machine without one."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"


@configclass
class SolverCfg(MJWarpSolverCfg):
    """Isaac Lab's settings of the solver, one of Newton's that they leave out, and steps that are played back."""

    class_type: type[NewtonMJWarpManager] | str = "mereq_tasks.recorded_mjwarp:NewtonRecordedMJWarpManager"

    jacobian: str = "auto"
    """Layout of the constraints' Jacobian: ``dense``, ``sparse``, or ``auto`` by the number of degrees of freedom."""


@configclass
class PhysicsCfg(PresetCfg):
    """Newton by default: it runs without Isaac Sim, on the CPU and on CUDA. PhysX where Isaac Sim is installed."""

    isaacsim_physx: PhysxCfg = PhysxCfg(bounce_threshold_velocity=0.2)
    ovphysx: OvPhysxCfg = OvPhysxCfg()
    physx: PhysxAutoCfg = PhysxAutoCfg(isaacsim_physx=isaacsim_physx, ovphysx=ovphysx)
    newton_mjwarp: NewtonCfg = NewtonCfg(
        # A flat eraser on a board makes 4 contacts with 4 friction-pyramid rows each; room for 6. The solver's cost on
        # the CPU grows with njmax: 24 instead of the default 300 gave 2,780 instead of 2,000 env-steps/s.
        solver_cfg=SolverCfg(njmax=24, nconmax=6, integrator="implicitfast", iterations=100, ls_iterations=50),
    )
    default: NewtonCfg = newton_mjwarp


def physics_cfg(max_constraints: int, max_contacts: int, is_for_grasping: bool = False) -> PhysicsCfg:
    """Returns the backends with another budget of contacts for Newton.

    Args:
        max_constraints: Rows that the solver has room for in each environment; a contact with friction takes four, and
            three when grasping.
        max_contacts: Contacts in each environment.
        is_for_grasping: Whether things are held by friction. A parcel gripped 2 cm off its centre turned between the
            fingers by 0.6 rad in a second with MuJoCo's defaults; with an elliptic cone and friction a hundred times as
            stiff as pressure by 0.005 rad. It slips where Coulomb's law says.
    """
    cfg = PhysicsCfg()
    for newton in (cfg.newton_mjwarp, cfg.default):
        solver = cast(SolverCfg, newton.solver_cfg)
        solver.njmax, solver.nconmax = max_constraints, max_contacts
        if is_for_grasping:
            solver.cone, solver.impratio = "elliptic", 100.0
            # With the dense layout the kernel for elliptic cones visits all the room for contacts and not the contacts:
            # a step of 256 robots with parcels takes 1,206 instead of 228 ms of CPU time
            # (`scripts/tools/probe_physics.py --task Franka-PickPlace --num_envs 256 --steps 40
            # env.sim.physics.solver_cfg.jacobian=dense`).
            solver.jacobian = "sparse"
    return cfg


def check_physics(sim: SimulationCfg) -> None:
    """Refuses a backend that this machine cannot run; Isaac Lab would fail while it starts, with a trace.

    Raises:
        TaskUsageError: Something that the backend needs is missing.
    """
    missing = None
    if isinstance(sim.physics, PhysxCfg) and importlib.util.find_spec("isaacsim") is None:
        missing = "Isaac Sim"
    elif isinstance(sim.physics, (OvPhysxCfg, PhysxAutoCfg)):
        if importlib.util.find_spec("ovphysx") is None:
            missing = "the package ovphysx"
        elif not torch.cuda.is_available():
            missing = "a CUDA GPU"
    if missing:
        raise TaskUsageError(
            f"PhysX needs {missing}, which is not there; physics=newton_mjwarp (the default) runs here"
        )
