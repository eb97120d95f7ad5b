# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Franka-Erase: wipe a pen stroke off a board with a hand-held eraser.

The task's own reward asks for a touch of every mark with little force; ink that needs pressure stays. The person wants
the ink gone, and the force limit kept.
"""

from __future__ import annotations

import isaaclab.sim as sim_utils
from isaaclab.assets import ArticulationCfg, AssetBaseCfg
from isaaclab.managers import EventTermCfg as EventTerm
from isaaclab.managers import ObservationGroupCfg as ObsGroup
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.managers import RewardTermCfg as RewTerm
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils import configclass

from .. import mdp as shared_mdp
from ..preference import HumanPreference
from ..robots import FR3_ERASER_CFG
from ..robots.fr3_description import ERASER_SIZE
from ..task_env_cfg import TaskEnvCfg, TaskSceneCfg, contact_sensor, friction_of, mass_of, tool_steps
from . import mdp
from .marks import MarksCfg

BOARD_CENTRE = (0.5, 0.0, 0.02)
"""Centre of the board's surface in the robot's base frame [m]."""

FELT_OFFSET = (0.0, 0.0, ERASER_SIZE[2] / 2)
"""Centre of the felt in the eraser's frame [m]."""


def _tool() -> SceneEntityCfg:
    return SceneEntityCfg("robot", body_names="eraser")


@configclass
class EraseSceneCfg(TaskSceneCfg):
    """A board in front of the arm."""

    robot: ArticulationCfg = FR3_ERASER_CFG

    board = AssetBaseCfg(
        prim_path="{ENV_REGEX_NS}/Board",
        init_state=AssetBaseCfg.InitialStateCfg(pos=(BOARD_CENTRE[0], BOARD_CENTRE[1], BOARD_CENTRE[2] - 0.01)),
        spawn=sim_utils.CuboidCfg(
            size=(0.45, 0.65, 0.02),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            # Felt on a coated whiteboard slides easily; published coefficients lie between 0.2 and 0.4.
            physics_material=sim_utils.RigidBodyMaterialCfg(static_friction=0.3, dynamic_friction=0.3),
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.9, 0.9, 0.88)),
        ),
    )

    contact = contact_sensor("eraser")


@configclass
class CommandsCfg:
    """What is to be erased."""

    marks = MarksCfg(
        tool_cfg=_tool(), tool_offset=FELT_OFFSET, sensor_name="contact", footprint=(ERASER_SIZE[0], ERASER_SIZE[1])
    )


@configclass
class ActionsCfg:
    """Cartesian steps of the felt: 3 numbers in [-1, 1] at 20 Hz."""

    tool = tool_steps(
        "eraser", FELT_OFFSET, step_size=(0.05, 0.05, 0.05), workspace=((0.33, -0.27, -0.05), (0.67, 0.27, 0.12))
    )


@configclass
class ObservationsCfg:
    """Observations for the policy, and the features of the last transition."""

    @configclass
    class PolicyCfg(ObsGroup):
        """Everything is scaled to about [-1, 1]."""

        tool_position = ObsTerm(
            func=shared_mdp.tool_position,
            params={"asset_cfg": _tool(), "offset": FELT_OFFSET, "origin": BOARD_CENTRE},
            clip=(-1.0, 1.0),
            scale=5.0,
        )
        tool_velocity = ObsTerm(
            func=shared_mdp.tool_velocity, params={"asset_cfg": _tool()}, clip=(-5.0, 5.0), scale=3.0
        )
        normal_force = ObsTerm(func=mdp.normal_force, scale=0.1, clip=(0.0, 50.0))
        nearest_untouched = ObsTerm(func=mdp.nearest_untouched, scale=(5.0, 5.0, 1.0))
        nearest_ink = ObsTerm(func=mdp.nearest_ink, scale=(5.0, 5.0, 1.0))
        untouched_left = ObsTerm(func=mdp.untouched_left)
        ink_left = ObsTerm(func=mdp.ink_left)
        mark_offsets = ObsTerm(func=mdp.mark_offsets, scale=5.0)
        ink = ObsTerm(func=mdp.ink)
        touched = ObsTerm(func=mdp.touched)

    @configclass
    class FeaturesCfg(ObsGroup):
        """f(s, a) of the transition just taken, each in [0, 1]."""

        normal_force = ObsTerm(func=mdp.normal_force_share, params={"full_scale": 20.0}, clip=(0.0, 1.0))
        ink_removed = ObsTerm(func=mdp.ink_removed, clip=(0.0, 1.0))
        distance_to_ink = ObsTerm(
            func=mdp.distance_to_ink, params={"board_height": BOARD_CENTRE[2], "full_scale": 0.2}, clip=(0.0, 1.0)
        )
        tool_speed = ObsTerm(
            func=shared_mdp.tool_speed_share, params={"asset_cfg": _tool(), "full_scale": 0.5}, clip=(0.0, 1.0)
        )
        over_force_limit = ObsTerm(func=mdp.over_force_limit, params={"full_scale": 5.0}, clip=(0.0, 1.0))

    @configclass
    class MetricsCfg(ObsGroup):
        """The task's own figures of the episode so far; read at its end, learned from by nobody."""

        success = ObsTerm(func=mdp.episode_metric, params={"name": "success"})
        ink_removed = ObsTerm(func=mdp.episode_metric, params={"name": "ink_removed"})
        over_force_limit = ObsTerm(func=mdp.episode_metric, params={"name": "over_force_limit"})

    policy: PolicyCfg = PolicyCfg()
    features: FeaturesCfg = FeaturesCfg()
    metrics: MetricsCfg = MetricsCfg()


@configclass
class RewardsCfg:
    """The prior's reward r: touch every mark, gently. Weights are per second; a step is 0.05 s."""

    touch = RewTerm(func=mdp.newly_touched, weight=10.0)
    distance = RewTerm(func=mdp.distance_to_untouched, weight=-10.0, params={"board_height": BOARD_CENTRE[2]})
    force = RewTerm(func=mdp.capped_normal_force, weight=-0.4, params={"max_force": 30.0})
    action = RewTerm(func=shared_mdp.action_l2, weight=-0.1)


@configclass
class EventCfg:
    """Where the arm starts, and what differs between robots."""

    reset_scene = EventTerm(func=shared_mdp.reset_scene_to_default, mode="reset")
    reset_swing = EventTerm(
        func=shared_mdp.reset_joints_by_offset,
        mode="reset",
        params={
            "asset_cfg": SceneEntityCfg("robot", joint_names=["fr3_joint1"]),
            "position_range": (-0.25, 0.25),  # [rad] 12 cm to either side
            "velocity_range": (0.0, 0.0),
        },
    )
    reset_reach = EventTerm(
        func=shared_mdp.reset_joints_by_offset,
        mode="reset",
        params={
            "asset_cfg": SceneEntityCfg("robot", joint_names=["fr3_joint2", "fr3_joint4"]),
            "position_range": (-0.05, 0.05),  # [rad] felt 1 to 9 cm above the board
            "velocity_range": (0.0, 0.0),
        },
    )
    eraser_mass = mass_of(_tool(), 0.7, 1.5)
    felt_friction = friction_of(_tool(), 0.2, 0.4)


PREFERENCE = HumanPreference(
    wish="Press hard enough for the ink to come off, but not beyond the force limit.",
    weights={
        "ink_removed": 9.6,  # 4 for each of the 12 marks (a fifth of one in a step): ink matters more than effort
        "distance_to_ink": -2.0,
        "over_force_limit": -4.0,
        "tool_speed": -0.2,
    },
)
"""What the synthetic person wants beyond the reward."""


@configclass
class FrankaEraseEnvCfg(TaskEnvCfg):
    """The task."""

    scene: EraseSceneCfg = EraseSceneCfg()
    commands: CommandsCfg = CommandsCfg()
    actions: ActionsCfg = ActionsCfg()
    observations: ObservationsCfg = ObservationsCfg()
    rewards: RewardsCfg = RewardsCfg()
    events: EventCfg = EventCfg()

    goal: str = "Touch every mark on the board with the eraser, gently."
    preference: HumanPreference = PREFERENCE
