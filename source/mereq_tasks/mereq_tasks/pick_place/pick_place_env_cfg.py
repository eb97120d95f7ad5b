# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Franka-PickPlace: pick an elongated parcel from the table and lay it on a spot.

The prior grips the parcel where it is told to: a grasp detector, which knows nothing of weight, proposes a place on
either side of the centre. Gripped off its centre the parcel sags under its weight. The person wants it gripped at its
centre and carried level.
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
from ..robots import FINGER_JOINTS, FR3_GRIPPER_CFG, in_pose
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
from .guide import PickPlaceGuide
from .parcel_goal import ParcelGoalCfg
from .starts import HIGH_POSE, TrainingCurriculumCfg, reset_arm_and_parcel

PARCEL_SIZE = (0.18, 0.05, 0.04)
"""Length, width and height of the parcel [m]."""

REST_HEIGHT = PARCEL_SIZE[2] / 2
"""Height of its middle on the table [m]."""

GRASPABLE_LENGTH = 0.15
"""Length along which it can be held [m]: its own less 1.5 cm at either end, half a pad's width and 6 mm."""

TIP_OFFSET = (0.0, 0.0, 0.1036)
"""The point between the fingertips in the hand's frame [m]."""

GRIP = {FINGER_JOINTS: 0.0175}
"""Where the fingers are sent to grip [m]: 7.5 mm inside the parcel, which the drives' 2,000 N/m turn into 15 N each.

Source: ours, a gentle grip. The Franka Hand's data sheet has 70 N, with which no parcel of this size would sag."""

CARRY = {"carry_height": 0.06, "slope": 1.0}
"""Height at which the parcel's middle is carried above where it rests [m], and how steeply it comes down to its spot:
one that sags by 30 degrees is off the table then."""

DRAG = {"clearance": 0.01, **CARRY}
"""What dragging is, to the reward and to the feature alike: an end of the parcel is lower than the clearance [m]."""


def _hand() -> SceneEntityCfg:
    return SceneEntityCfg("robot", body_names="fr3_hand")


def _fingers() -> SceneEntityCfg:
    return SceneEntityCfg("robot", joint_names=[FINGER_JOINTS])


def _parcel() -> SceneEntityCfg:
    return SceneEntityCfg("parcel")


@configclass
class PickPlaceSceneCfg(TaskSceneCfg):
    """A table in front of the arm, and a parcel on it."""

    robot: ArticulationCfg = in_pose(FR3_GRIPPER_CFG, HIGH_POSE)

    table = table()

    parcel = RigidObjectCfg(
        prim_path="{ENV_REGEX_NS}/Parcel",
        init_state=RigidObjectCfg.InitialStateCfg(pos=(0.47, 0.0, REST_HEIGHT)),
        spawn=sim_utils.CuboidCfg(
            size=PARCEL_SIZE,
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(),
            mass_props=sim_utils.MassCfg(mass=0.5),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.55, 0.33, 0.13)),
        ),
    )

    fingers = contact_sensor("fr3_(left|right)finger")


@configclass
class CommandsCfg:
    """Where the parcel is to go: any way, within what the arm reaches well with the hand pointing down.

    Distances in metres, heading in radians. Source: ours; a way is at least three quarters of the parcel's length.
    """

    goal = ParcelGoalCfg(
        object_cfg=_parcel(),
        distance=(0.14, 0.24),
        heading=(-3.14, 3.14),
        area=((0.36, -0.22), (0.58, 0.22)),
        tool_cfg=_hand(),
        tool_offset=TIP_OFFSET,
        object_size=PARCEL_SIZE,
        finger_sensor="fingers",
        graspable_length=GRASPABLE_LENGTH,
        # Source: measurement (docs/notebook): told to grip there, the prior grips at 3 cm, as it is harder to
        # lift the farther out it grips, and lays down nearly every parcel.
        proposed_offset=(0.05, 0.06),
    )


@configclass
class ActionsCfg:
    """Cartesian steps of the gripper, a turn about the vertical, and open or close: 5 numbers in [-1, 1] at 20 Hz.

    Steps and workspace (least and greatest x, y and z of the fingertips) in metres, turns in radians. Source: ours. Up
    and down the steps are larger: to bear the heaviest parcel takes 16 mm of them.
    """

    tool = tool_steps(
        "fr3_hand",
        TIP_OFFSET,
        step_size=(0.04, 0.04, 0.07),
        workspace=((0.30, -0.32, 0.018), (0.66, 0.32, 0.25)),
        yaw_step=0.15,
    )
    grip = shared_mdp.BinaryJointPositionActionCfg(
        asset_name="robot",
        joint_names=[FINGER_JOINTS],
        open_command_expr={FINGER_JOINTS: 0.04},
        close_command_expr=GRIP,
    )


@configclass
class ObservationsCfg:
    """Observations for the policy, and the features of the last transition."""

    @configclass
    class PolicyCfg(ObsGroup):
        """Everything is scaled to about [-1, 1]."""

        tool_position = ObsTerm(
            func=shared_mdp.tool_position,
            params={"asset_cfg": _hand(), "offset": TIP_OFFSET, "origin": (0.47, 0.0, 0.1)},
            clip=(-0.5, 0.5),
            scale=5.0,
        )
        tool_velocity = ObsTerm(
            func=shared_mdp.tool_velocity, params={"asset_cfg": _hand()}, clip=(-2.0, 2.0), scale=3.0
        )
        hand_axis = ObsTerm(func=mdp.hand_axis, params={"asset_cfg": _hand()})
        finger_opening = ObsTerm(func=mdp.finger_opening, params={"asset_cfg": _fingers()}, clip=(0.0, 0.1), scale=20.0)
        grip = ObsTerm(func=mdp.grip_flag)
        grasp_point_from_tool = ObsTerm(func=mdp.grasp_point_from_tool, clip=(-0.5, 0.5), scale=8.0)
        place_along_length = ObsTerm(func=mdp.place_along_length, clip=(-0.2, 0.2), scale=10.0)
        parcel_axis = ObsTerm(func=mdp.parcel_axis)
        parcel_height = ObsTerm(func=mdp.height_share, params={"full_scale": 0.1}, clip=(-0.5, 3.0))
        parcel_velocity = ObsTerm(
            func=shared_mdp.object_velocity, params={"asset_cfg": _parcel()}, clip=(-1.0, 1.0), scale=3.0
        )
        goal_from_parcel = ObsTerm(func=shared_mdp.goal_offset, clip=(-0.5, 0.5), scale=6.0)

    @configclass
    class FeaturesCfg(ObsGroup):
        """f(s, a) of the transition just taken, each in [0, 1]."""

        grasp_offset = ObsTerm(func=mdp.grasp_offset_share, params={"full_scale": 0.09}, clip=(0.0, 1.0))
        parcel_tilt = ObsTerm(
            func=shared_mdp.tilt_share, params={"asset_cfg": _parcel(), "full_scale": 0.5}, clip=(0.0, 1.0)
        )
        parcel_height = ObsTerm(func=mdp.height_share, params={"full_scale": 0.2}, clip=(0.0, 1.0))
        distance_to_goal = ObsTerm(func=shared_mdp.goal_distance_share, params={"full_scale": 0.3}, clip=(0.0, 1.0))
        tool_speed = ObsTerm(
            func=shared_mdp.tool_speed_share, params={"asset_cfg": _hand(), "full_scale": 0.7}, clip=(0.0, 1.0)
        )
        dragged = ObsTerm(func=mdp.dragged_share, params={"full_scale": 0.3, **DRAG}, clip=(0.0, 1.0))

    @configclass
    class MetricsCfg(ObsGroup):
        """The task's own figures as they are now; read at the end of an episode, learned from by nobody."""

        success = ObsTerm(func=shared_mdp.goal_metric, params={"name": "success"})
        grasp_offset_m = ObsTerm(func=shared_mdp.goal_metric, params={"name": "grasp_offset"})
        carried = ObsTerm(func=shared_mdp.goal_metric, params={"name": "carried"})

    policy: PolicyCfg = PolicyCfg()
    features: FeaturesCfg = FeaturesCfg()
    metrics: MetricsCfg = MetricsCfg()


@configclass
class RewardsCfg:
    """The prior's reward r, in stages: reach, grip, lift, carry, lay down. Weights are per second; a step is 0.05 s.

    Source: ours, by trial; what each stage is there for and which trials went wrong: docs/notebook and the terms'
    own docstrings. Distances are in metres, so that a centimetre from the grip costs as much as being gripped pays.
    """

    reach = RewTerm(func=mdp.distance_to_grasp, weight=-100.0)
    misplaced_grip = RewTerm(func=mdp.misplaced_grip, weight=-3000.0)
    align = RewTerm(func=mdp.misalignment, weight=-2.0, params={"asset_cfg": _hand()})
    grip = RewTerm(func=mdp.gripped, weight=1.0)
    height = RewTerm(func=mdp.height_error, weight=-100.0, params=dict(CARRY))
    carried_near = RewTerm(func=mdp.carried_near, weight=5.0, params={"scale": 0.2, "clearance": 0.005})
    dragged = RewTerm(func=mdp.dragged, weight=-300.0, params=dict(DRAG))
    near_its_place = RewTerm(func=mdp.near_its_place, weight=3.0, params={"scale": 0.05})
    placed = RewTerm(func=mdp.placed, weight=4.0, params={"width": 0.02})
    action = RewTerm(func=shared_mdp.action_l2, weight=-0.1)


@configclass
class EventCfg:
    """Where arm and parcel start, and what differs between robots."""

    reset_scene = EventTerm(func=shared_mdp.reset_scene_to_default, mode="reset")
    reset_arm_and_parcel = EventTerm(
        func=reset_arm_and_parcel,
        mode="reset",
        params={
            "asset_cfg": _parcel(),
            "tool_cfg": _hand(),
            "tool_offset": TIP_OFFSET,
            "pose_range": {"x": (0.40, 0.54), "y": (-0.12, 0.12), "yaw": (-0.8, 0.8)},
            "rest_height": REST_HEIGHT,
            "half_width": PARCEL_SIZE[1] / 2,
            "graspable_length": GRASPABLE_LENGTH,
            "in_hand": 0.0,
            "at_parcel": 0.0,
        },
    )
    # 0.35 to 0.65 kg in 0.36 l. Source: ours: as if filled with water, or with sand.
    parcel_mass = mass_of(_parcel(), 0.7, 1.3)
    # Cardboard on wood: 0.5 at rest, three quarters of that sliding (CTU Code of IMO, ILO and UNECE, annex 7). That it
    # goes on to 0.3 is ours, for a table that is smoother.
    parcel_friction = friction_of(_parcel(), 0.3, 0.5)
    # Rubber on dry cardboard: 0.5 to 0.8 (The Engineering ToolBox, friction coefficients).
    fingertip_friction = friction_of(SceneEntityCfg("robot", body_names="fr3_.*finger"), 0.5, 0.7)


@configclass
class PickPlaceTerminationsCfg(TerminationsCfg):
    """Half a second after the parcel was laid down there is nothing left to judge.

    As a time-out, so that its value goes on: being done early must not be worth less than being done late.
    """

    task_done = DoneTerm(func=mdp.task_done, time_out=True)


PREFERENCE = HumanPreference(
    wish="Grip it at its centre and carry it level.", weights={"grasp_offset": -1.0, "parcel_tilt": -1.0}
)
"""What the synthetic person wants beyond the reward, by weights per step. Source: ours: an expert that is to want a
grip within 1 cm of the centre (docs/notebook)."""


@configclass
class FrankaPickPlaceEnvCfg(TaskEnvCfg):
    """The task."""

    scene: PickPlaceSceneCfg = PickPlaceSceneCfg()
    # The parcel lies on 4 contacts and is held by 4 a finger; hand and fingers come near it and the table with more.
    # Measured: at most 39 rows and 29 contacts of one robot in 730,000 steps (prior, expert, random, pressed down).
    sim: SimulationCfg = simulation(physics_cfg(max_constraints=48, max_contacts=32, is_for_grasping=True))
    commands: CommandsCfg = CommandsCfg()
    actions: ActionsCfg = ActionsCfg()
    observations: ObservationsCfg = ObservationsCfg()
    rewards: RewardsCfg = RewardsCfg()
    events: EventCfg = EventCfg()
    terminations: PickPlaceTerminationsCfg = PickPlaceTerminationsCfg()
    training_curriculum: TrainingCurriculumCfg = TrainingCurriculumCfg()
    training_guide: type = PickPlaceGuide
    episode_length_s: float = 5.0  # prior and expert have laid it down after 3 s, where nothing went wrong

    goal: str = "Pick the parcel from the table and lay it down on the spot."
    preference: HumanPreference = PREFERENCE
