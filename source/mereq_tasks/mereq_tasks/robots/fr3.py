# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The Franka Research 3 as Isaac Lab articulations, for any task to reuse.

* :obj:`FR3_GRIPPER_CFG`: arm and two-finger hand, torque-driven arm, position-driven fingers.
* :obj:`FR3_ERASER_CFG`: the hand is closed on an eraser; only the arm moves.
* :obj:`FR3_PUSHER_CFG`: the hand is closed; only the arm moves.

All are driven by joint torques from an operational-space controller, with gravity compensated, as libfranka's torque
interface does on the arm.
"""

from __future__ import annotations

from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg
from isaaclab.utils import clone
from isaaclab_newton.sim.schemas import MujocoCollisionCfg, MujocoRigidBodyCfg, NewtonArticulationCfg
from isaaclab_physx.sim.schemas import PhysxArticulationCfg, PhysxRigidBodyCfg

from .fr3_usd import Fr3UsdCfg

FINGER_JOINTS = "fr3_finger_joint[1-2]"

FR3_HAND_PRIM = "Geometry/base/" + "/".join(f"fr3_link{i}" for i in range(8)) + "/fr3_hand"
"""Path of the hand below the robot's prim: bodies are nested in the prim path, and sensors need the whole of it."""

ARM_JOINTS = "fr3_joint[1-7]"

TOOL_DOWN_POSE = {
    "fr3_joint1": 0.0,
    "fr3_joint2": 0.272,
    "fr3_joint3": 0.0,
    "fr3_joint4": -2.399,
    "fr3_joint5": 0.0,
    "fr3_joint6": 2.671,
    "fr3_joint7": 0.785,
}
"""Joint positions [rad] with the flange pointing down and the eraser's felt at (0.50, 0.00, 0.07) m from the base."""

_ARM_ACTUATOR = ImplicitActuatorCfg(
    joint_names_expr=[ARM_JOINTS],
    # Torque limits of the FR3 data sheet [N m].
    joint_effort_limit={"fr3_joint[1-4]": 87.0, "fr3_joint[5-7]": 12.0},
    # No position gain: the operational-space controller owns the motion.
    stiffness=0.0,
    # [N m s/rad] Source: ours. Integrated implicitly by the solver. Enough to keep elbow and wrist from swinging; the
    # damping of the tool's motion is the operational-space controller's, so that the tool is equally fast everywhere.
    damping=2.0,
    # The arm compensates its joint friction in its own torque loop; a friction constraint for each joint would also be
    # most of what the solver works on.
    friction=0.0,
    # Reflected rotor inertia [kg m²], identified for MuJoCo Menagerie's FR3.
    armature={"fr3_joint[1-4]": 0.195, "fr3_joint[5-7]": 0.074},
)

_INIT_STATE = ArticulationCfg.InitialStateCfg(joint_pos=TOOL_DOWN_POSE)

FR3_ERASER_CFG = ArticulationCfg(
    prim_path="{ENV_REGEX_NS}/Robot",
    spawn=Fr3UsdCfg(
        tool="eraser",
        activate_contact_sensors=True,
        rigid_props=[PhysxRigidBodyCfg(disable_gravity=True), MujocoRigidBodyCfg(gravcomp=1.0)],
        articulation_props=[
            PhysxArticulationCfg(
                enabled_self_collisions=False, solver_position_iteration_count=8, solver_velocity_iteration_count=0
            ),
            NewtonArticulationCfg(self_collision_enabled=False),
        ],
        # Felt gives: with MuJoCo's default time constant (0.02 s) it met the board like steel, 150 N in a physics step.
        collision_props={"/.*eraser_collision": [MujocoCollisionCfg(priority=1, solref=(0.05, 1.0))]},
    ),
    init_state=_INIT_STATE,
    actuators={"arm": _ARM_ACTUATOR},
)
"""FR3 whose closed hand holds an eraser."""

FR3_GRIPPER_CFG = clone(FR3_ERASER_CFG)
FR3_GRIPPER_CFG.spawn.tool = "gripper"  # type: ignore[attr-defined]  # it is an Fr3UsdCfg
FR3_GRIPPER_CFG.spawn.collision_props = None  # that of the felt  # type: ignore[union-attr]
FR3_GRIPPER_CFG.init_state.joint_pos = {**TOOL_DOWN_POSE, FINGER_JOINTS: 0.04}
FR3_GRIPPER_CFG.actuators["hand"] = ImplicitActuatorCfg(
    joint_names_expr=[FINGER_JOINTS],
    joint_effort_limit=70.0,  # [N] continuous grasping force of the Franka Hand's data sheet
    # Source: ours: 20 N on an object that is 1 cm wider than the target, nearly without overshoot.
    stiffness=2e3,  # [N/m]
    damping=60.0,  # [N s/m]
    # Inertia of motor and gear as the fingers feel it [kg]. Source: ours. It must not be left out: the solver finds
    # contact forces for the inertia there is, and a bare finger of 15 g went 7 mm into a box and out again for ever.
    armature=0.5,
)
"""FR3 with the two-finger Franka Hand."""

FR3_PUSHER_CFG = clone(FR3_ERASER_CFG)
FR3_PUSHER_CFG.spawn.tool = "pusher"  # type: ignore[attr-defined]  # it is an Fr3UsdCfg
FR3_PUSHER_CFG.spawn.collision_props = None  # that of the felt  # type: ignore[union-attr]
"""FR3 whose closed fingers push."""


def in_pose(robot: ArticulationCfg, pose: dict[str, float]) -> ArticulationCfg:
    """Returns the robot with other joint positions to start from.

    Args:
        robot: One of the above, which is left as it is.
        pose: Joint positions, by joint name [rad]; other joints keep theirs.
    """
    robot = clone(robot)
    robot.init_state.joint_pos = {**robot.init_state.joint_pos, **pose}
    return robot
