# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Franka-PushBottle: push a standing bottle to a spot with the closed gripper.

The task's own reward asks for the bottle to be on the spot and for an arm that moves little and in a plane, as planar
pushing is mostly done: at whatever height the fingertips happen to be, and pushed high the bottle tips over. The person
wants it pushed near the base.
"""

from __future__ import annotations

import isaaclab.sim as sim_utils
from isaaclab.assets import ArticulationCfg, RigidObjectCfg
from isaaclab.managers import EventTermCfg as EventTerm
from isaaclab.managers import ObservationGroupCfg as ObsGroup
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.managers import RewardTermCfg as RewTerm
from isaaclab.managers import SceneEntityCfg
from isaaclab.managers import TerminationTermCfg as DoneTerm
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass

from .. import mdp as shared_mdp
from ..physics import physics_cfg
from ..preference import HumanPreference
from ..robots import FR3_PUSHER_CFG, in_pose
from ..table import table
from ..task_env_cfg import (
    TaskEnvCfg,
    TaskSceneCfg,
    TerminationsCfg,
    contact_sensor,
    friction_of,
    mass_of,
    simulation,
    tool_steps,
)
from . import mdp
from .bottle import FRICTION, BottleCfg

TIP_OFFSET = (0.0, 0.0, 0.0)
"""Centre of the fingertips in their own frame [m]."""

LOW_POSE = {"fr3_joint2": 0.688, "fr3_joint4": -2.786, "fr3_joint6": 4.172}
"""Arm with the fingertips at (0.42, 0, 0.03) m, tilted forward by 40 degrees [rad]."""

HIGH_POSE = {"fr3_joint2": 0.159, "fr3_joint4": -2.956, "fr3_joint6": 3.814}
"""The same 12 cm higher [rad]. In between, the tilt stays and x is within 12 mm."""

TILTED_FORWARD = (0.9397, 0.0, 0.3420, 0.0)
"""Orientation of the hand [xyzw]: down and 40 degrees forward, so that the tips lead. Upright, the crossbar of the
fingers, 5 cm above the tips, would be the first to touch."""


def _tool() -> SceneEntityCfg:
    return SceneEntityCfg("robot", body_names="fingertips")


def _bottle() -> SceneEntityCfg:
    return SceneEntityCfg("bottle")


@configclass
class PushBottleSceneCfg(TaskSceneCfg):
    """A table in front of the arm, and a bottle on it."""

    robot: ArticulationCfg = in_pose(FR3_PUSHER_CFG, LOW_POSE)

    table = table()

    bottle = RigidObjectCfg(
        prim_path="{ENV_REGEX_NS}/Bottle",
        init_state=RigidObjectCfg.InitialStateCfg(pos=(0.52, 0.0, BottleCfg().height / 2)),
        spawn=BottleCfg(
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(),
            mass_props=sim_utils.MassCfg(mass=0.4),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.03, 0.30, 0.24)),
        ),
    )

    contact = contact_sensor("fingertips")


@configclass
class CommandsCfg:
    """Where the bottle is to go: away from the robot, so that it can be pushed from behind.

    Distance in metres, heading in radians. Source: ours, as far as the arm reaches with its hand tilted.
    """

    goal = shared_mdp.TableGoalCfg(object_cfg=_bottle(), distance=(0.10, 0.18), heading=(-0.5, 0.5))


@configclass
class ActionsCfg:
    """Cartesian steps of the fingertips: 3 numbers in [-1, 1] at 20 Hz.

    Steps and workspace (least and greatest x, y and z) in metres. Source: ours; it ends at the bottle's neck.
    """

    tool = tool_steps(
        "fingertips",
        TIP_OFFSET,
        step_size=(0.04, 0.04, 0.04),
        workspace=((0.38, -0.25, 0.015), (0.72, 0.25, 0.19)),
        orientation=TILTED_FORWARD,
    )


@configclass
class ObservationsCfg:
    """Observations for the policy, and the features of the last transition."""

    @configclass
    class PolicyCfg(ObsGroup):
        """Everything is scaled to about [-1, 1]."""

        tool_position = ObsTerm(
            func=shared_mdp.tool_position,
            params={"asset_cfg": _tool(), "offset": TIP_OFFSET, "origin": (0.55, 0.0, 0.1)},
            clip=(-0.5, 0.5),
            scale=5.0,
        )
        tool_velocity = ObsTerm(
            func=shared_mdp.tool_velocity, params={"asset_cfg": _tool()}, clip=(-2.0, 2.0), scale=3.0
        )
        height_drift = ObsTerm(func=mdp.height_drift, params={"action": "tool"}, clip=(-0.2, 0.2), scale=10.0)
        push_force = ObsTerm(func=mdp.push_force, params={"sensor": "contact"}, clip=(0.0, 30.0), scale=0.2)
        bottle_from_tool = ObsTerm(
            func=shared_mdp.object_from_tool,
            params={"asset_cfg": _bottle(), "tool_cfg": _tool(), "offset": TIP_OFFSET},
            clip=(-0.5, 0.5),
            scale=8.0,
        )
        bottle_up = ObsTerm(func=shared_mdp.object_up, params={"asset_cfg": _bottle()}, scale=(4.0, 4.0, 1.0))
        bottle_velocity = ObsTerm(
            func=shared_mdp.object_velocity, params={"asset_cfg": _bottle()}, clip=(-1.0, 1.0), scale=4.0
        )
        goal_from_bottle = ObsTerm(func=shared_mdp.goal_offset, clip=(-0.5, 0.5), scale=8.0)

    @configclass
    class FeaturesCfg(ObsGroup):
        """f(s, a) of the transition just taken, each in [0, 1]."""

        push_height = ObsTerm(
            func=mdp.push_height_share,
            params={"sensor": "contact", "asset_cfg": _bottle(), "tool_cfg": _tool(), "full_scale": 0.2},
            clip=(0.0, 1.0),
        )
        bottle_tilt = ObsTerm(
            func=shared_mdp.tilt_share, params={"asset_cfg": _bottle(), "full_scale": 0.5}, clip=(0.0, 1.0)
        )
        distance_to_goal = ObsTerm(func=shared_mdp.goal_distance_share, params={"full_scale": 0.2}, clip=(0.0, 1.0))
        effort = ObsTerm(func=mdp.effort, params={"sensor": "contact", "full_scale": 10.0}, clip=(0.0, 1.0))
        tool_speed = ObsTerm(
            func=shared_mdp.tool_speed_share, params={"asset_cfg": _tool(), "full_scale": 0.5}, clip=(0.0, 1.0)
        )
        toppled = ObsTerm(func=shared_mdp.toppled_flag)

    @configclass
    class MetricsCfg(ObsGroup):
        """The task's own figures as they are now; read at the end of an episode, learned from by nobody."""

        success = ObsTerm(func=shared_mdp.goal_metric, params={"name": "success"})
        toppled = ObsTerm(func=shared_mdp.goal_metric, params={"name": "toppled"})

    policy: PolicyCfg = PolicyCfg()
    features: FeaturesCfg = FeaturesCfg()
    metrics: MetricsCfg = MetricsCfg()


@configclass
class RewardsCfg:
    """The prior's reward r: the bottle on its spot, little motion, in a plane. Weights are per second; steps 0.05 s.

    Source: ours, by trial.
    """

    goal_distance = RewTerm(func=shared_mdp.goal_distance, weight=-20.0)
    at_goal = RewTerm(func=shared_mdp.at_goal, weight=4.0, params={"width": 0.02})
    reach = RewTerm(
        func=mdp.distance_to_pushing_place,
        weight=-10.0,
        params={"asset_cfg": _bottle(), "tool_cfg": _tool(), "gap": BottleCfg().radius + 0.012},
    )
    plane = RewTerm(func=mdp.leaving_the_plane, weight=-20.0, params={"action": "tool"})
    # 1.4 for a bottle that fell: without it, an episode that is going to be costly would better end at once.
    toppled = RewTerm(func=shared_mdp.is_terminated_term, weight=-28.0, params={"term_keys": "toppled"})
    action = RewTerm(func=shared_mdp.action_l2, weight=-0.4)


@configclass
class EventCfg:
    """Where arm and bottle start, and what differs between robots."""

    reset_scene = EventTerm(func=shared_mdp.reset_scene_to_default, mode="reset")
    reset_arm = EventTerm(
        func=shared_mdp.reset_joints_between,
        mode="reset",
        params={"asset_cfg": SceneEntityCfg("robot"), "first": LOW_POSE, "second": HIGH_POSE},
    )
    reset_bottle = EventTerm(
        func=shared_mdp.reset_root_state_uniform,
        mode="reset",
        params={
            "asset_cfg": _bottle(),
            "pose_range": {"x": (-0.02, 0.02), "y": (-0.08, 0.08)},  # [m] around where it stands by default
            "velocity_range": {},
        },
    )
    # 0.24 to 0.52 kg. Source: ours: 20 g of bottle and up to half a litre of water. Their centre of mass is that of
    # a full one, so those that are half full tip sooner than real ones do.
    bottle_mass = mass_of(_bottle(), 0.6, 1.3)
    bottle_friction = friction_of(_bottle(), *FRICTION)
    # Rubber pads on plastic. Source: ours, about what rubber has on dry cardboard or concrete (The Engineering ToolBox:
    # 0.5 to 0.8 and 0.6 to 0.85).
    fingertip_friction = friction_of(_tool(), 0.6, 0.9)


@configclass
class PushBottleTerminationsCfg(TerminationsCfg):
    """A bottle that fell over ends the episode: nobody can stand it up again, so what follows says nothing."""

    toppled = DoneTerm(func=shared_mdp.toppled)


PREFERENCE = HumanPreference(
    wish="Push it near its base, so that it stands.",
    weights={"push_height": -1.0, "bottle_tilt": -2.0, "distance_to_goal": -0.6},
)
"""What the synthetic person wants beyond the reward, by weights per step. Source: ours, by trial."""


@configclass
class FrankaPushBottleEnvCfg(TaskEnvCfg):
    """The task."""

    scene: PushBottleSceneCfg = PushBottleSceneCfg()
    # The bottle stands on 4 contacts or lies on up to 6, and the fingertips add 4. Measured: at most 12 of one robot.
    sim: SimulationCfg = simulation(physics_cfg(max_constraints=48, max_contacts=16))
    commands: CommandsCfg = CommandsCfg()
    actions: ActionsCfg = ActionsCfg()
    observations: ObservationsCfg = ObservationsCfg()
    rewards: RewardsCfg = RewardsCfg()
    events: EventCfg = EventCfg()
    terminations: PushBottleTerminationsCfg = PushBottleTerminationsCfg()

    episode_length_s: float = 3.0  # the expert is done after 1.5 s, the prior after 2 s (96 % of 200 episodes)
    goal: str = "Push the bottle to the spot with the closed gripper."
    preference: HumanPreference = PREFERENCE
