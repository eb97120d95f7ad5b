# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What all tasks of the suite have in common: rates, controller, light, and how episodes end."""

from __future__ import annotations

from dataclasses import MISSING

import isaaclab.sim as sim_utils
from isaaclab.assets import ArticulationCfg, AssetBaseCfg
from isaaclab.controllers import OperationalSpaceControllerCfg
from isaaclab.envs import ManagerBasedRLEnvCfg
from isaaclab.managers import EventTermCfg as EventTerm
from isaaclab.managers import SceneEntityCfg
from isaaclab.managers import TerminationTermCfg as DoneTerm
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sensors import ContactSensorCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass

from . import mdp
from .physics import PhysicsCfg, default_device
from .preference import HumanPreference
from .robots import ARM_JOINTS, FR3_HAND_PRIM

DECIMATION = 5
"""Physics steps (100 Hz) an action (20 Hz)."""


def contact_sensor(bodies: str) -> ContactSensorCfg:
    """Returns a sensor of the forces on bodies that hang on the hand, over all physics steps of an action.

    Args:
        bodies: Their name, or a regular expression: one sensor of two costs half of what two cost.
    """
    return ContactSensorCfg(prim_path=f"{{ENV_REGEX_NS}}/Robot/{FR3_HAND_PRIM}/{bodies}", history_length=DECIMATION)


def tool_steps(
    body: str,
    offset: tuple[float, float, float],
    step_size: tuple[float, float, float],
    workspace: tuple[tuple[float, float, float], tuple[float, float, float]],
    orientation: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0),
    yaw_step: float | None = None,
) -> mdp.ToolStepActionCfg:
    """Returns an action of Cartesian steps of a tool: 3 or 4 numbers in [-1, 1] at 20 Hz.

    Args:
        body: Body that carries the tool.
        offset: The tool's point in that body's frame [m].
        step_size: Largest step along each axis [m].
        workspace: Lowest and highest commanded position in the base frame [m].
        orientation: What the tool keeps [xyzw]; straight down when left out.
        yaw_step: Largest turn about the vertical [rad]; none when left out.
    """
    return mdp.ToolStepActionCfg(
        asset_name="robot",
        joint_names=[ARM_JOINTS],
        body_name=body,
        body_offset=mdp.ToolStepActionCfg.OffsetCfg(pos=offset, rot=(0.0, 0.0, 0.0, 1.0)),
        step_size=step_size,
        orientation=orientation,
        yaw_step=yaw_step,
        workspace=workspace,
        controller_cfg=OperationalSpaceControllerCfg(
            target_types=["pose_abs"],
            # [N/m, Nm/rad] A full step of 5 cm down on a board is 400 N/m * 0.05 m = 20 N, measured 20.0 N. The gains
            # are within what libfranka's Cartesian impedance examples use (150 to 2,000 N/m, 10 to 50 Nm/rad).
            motion_stiffness_task=(400.0, 400.0, 400.0, 50.0, 50.0, 50.0),
            # Explicit, at 100 Hz: the rotational part must stay low. With 0.5 the wrist oscillated and diverged.
            motion_damping_ratio_task=(1.5, 1.5, 1.5, 0.2, 0.2, 0.2),
        ),
    )


def simulation(physics: PhysicsCfg) -> SimulationCfg:
    """Returns a simulation at 100 Hz, on a GPU if there is one."""
    return SimulationCfg(dt=0.01, render_interval=DECIMATION, device=default_device(), physics=physics)


def friction_of(asset_cfg: SceneEntityCfg, low: float, high: float) -> EventTerm:
    """Returns an event that draws every robot's friction coefficient of a body once.

    Once, as Isaac Lab advises: the solver derives constants of the whole model from it, and with staggered episodes
    some robot is reset in every step. Hundreds of robots hold as many different objects. So it is there from the first
    step of training on: a policy that learned to grasp one kind of object first was not needed for any task.
    """
    return EventTerm(
        func=mdp.randomize_rigid_body_material,
        mode="startup",
        params={
            "asset_cfg": asset_cfg,
            "static_friction_range": (low, high),
            "dynamic_friction_range": (low, high),
            "restitution_range": (0.0, 0.0),
            "num_buckets": 64,
        },
    )


def mass_of(asset_cfg: SceneEntityCfg, low: float, high: float) -> EventTerm:
    """Returns an event that scales every robot's mass of a body once, for the reason that :func:`friction_of` gives."""
    return EventTerm(
        func=mdp.randomize_rigid_body_mass,
        mode="startup",
        params={"asset_cfg": asset_cfg, "mass_distribution_params": (low, high), "operation": "scale"},
    )


@configclass
class TaskSceneCfg(InteractiveSceneCfg):
    """An arm in the light; 512 of them by default: what two CPU cores handle best."""

    num_envs: int = 512
    env_spacing: float = 2.0

    robot: ArticulationCfg = MISSING

    light = AssetBaseCfg(
        prim_path="/World/light", spawn=sim_utils.DomeLightCfg(color=(0.75, 0.75, 0.75), intensity=1500.0)
    )


@configclass
class TerminationsCfg:
    """Episodes end by time alone, or when physics breaks."""

    time_out = DoneTerm(func=mdp.time_out, time_out=True)
    non_finite_state = DoneTerm(
        func=mdp.non_finite_state, params={"asset_cfg": SceneEntityCfg("robot"), "max_joint_vel": 50.0}
    )


@configclass
class TaskEnvCfg(ManagerBasedRLEnvCfg):
    """A task of the suite: scene, commands, actions, observations, rewards, events and preference are its own."""

    sim: SimulationCfg = simulation(PhysicsCfg())
    terminations: TerminationsCfg = TerminationsCfg()
    decimation: int = DECIMATION
    episode_length_s: float = 5.0
    compute_final_obs: bool = True

    goal: str = MISSING
    """What the task asks for, in a sentence that a stranger understands; a film shows it under the task's name."""

    preference: HumanPreference = MISSING
    """What the synthetic person wants beyond the reward."""

    training_curriculum: object | None = None
    """What makes the task easier for a policy that learns it from nothing; ``scripts/train_policy.py`` puts it in
    place. A policy that is aligned, judged or played meets the task as it is."""

    training_guide: type | None = None
    """A script that shows on some robots what to do, while prior or expert are trained: made with the environment and
    whether the person's wish counts, then called with the policy's actions, some of which it replaces."""
