# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# Kernels are Warp's language in Python's clothes: its annotations are no types, its operators not Python's.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportCallIssue=false, reportIndexIssue=false

"""Kernels of :mod:`impedance`."""

import warp as wp


@wp.func
def _tool_in_base(link: wp.transformf, root: wp.transformf, offset: wp.vec3f) -> wp.transformf:
    in_base = wp.transform_multiply(wp.transform_inverse(root), link)
    return wp.transformf(wp.transform_point(in_base, offset), wp.transform_get_rotation(in_base))


@wp.func
def _rotation_vector(start: wp.quatf, end: wp.quatf) -> wp.vec3f:
    """Axis times angle of the shorter turn from one orientation to another."""
    turn = end * wp.quat_inverse(start)
    if turn[3] < 0.0:
        turn = -turn
    imaginary = wp.vec3f(turn[0], turn[1], turn[2])
    sine = wp.length(imaginary)
    if sine < 1.0e-7:
        return 2.0 * imaginary
    return imaginary * (2.0 * wp.atan2(sine, turn[3]) / sine)


@wp.kernel
def tool_poses(
    link_pose: wp.array2d(dtype=wp.transformf),
    root_pose: wp.array(dtype=wp.transformf),
    body: int,
    offset: wp.vec3f,
    pose: wp.array(dtype=wp.transformf),
):
    """Measures the tool's pose in the base frame, one thread a robot."""
    robot = wp.tid()
    pose[robot] = _tool_in_base(link_pose[robot, body], root_pose[robot], offset)


@wp.kernel
def joint_torques(
    link_pose: wp.array2d(dtype=wp.transformf),
    link_velocity: wp.array2d(dtype=wp.spatial_vectorf),
    root_pose: wp.array(dtype=wp.transformf),
    target: wp.array(dtype=wp.transformf),
    stiffness: wp.spatial_vectorf,
    damping: wp.spatial_vectorf,
    body: int,
    joint_links: wp.array(dtype=wp.int32),
    joint_directions: wp.array(dtype=wp.vec3f),
    joint_points: wp.array(dtype=wp.vec3f),
    offset: wp.vec3f,
    torques: wp.array2d(dtype=wp.float32),
):
    """Computes τ = Jᵀ (K e - D v), one thread a robot; see :class:`~mereq_tasks.mdp.impedance.ToolImpedance`."""
    robot = wp.tid()
    root = root_pose[robot]
    tool = _tool_in_base(link_pose[robot, body], root, offset)
    to_base = wp.quat_inverse(wp.transform_get_rotation(root))
    arm = wp.quat_rotate(wp.transform_get_rotation(link_pose[robot, body]), offset)

    velocity = link_velocity[robot, body]
    turning = wp.spatial_bottom(velocity)
    moving = wp.quat_rotate(to_base, wp.spatial_top(velocity) + wp.cross(turning, arm))
    turning = wp.quat_rotate(to_base, turning)

    away = wp.transform_get_translation(target[robot]) - wp.transform_get_translation(tool)
    turned = _rotation_vector(wp.transform_get_rotation(tool), wp.transform_get_rotation(target[robot]))
    force = wp.cw_mul(wp.spatial_top(stiffness), away) - wp.cw_mul(wp.spatial_top(damping), moving)
    moment = wp.cw_mul(wp.spatial_bottom(stiffness), turned) - wp.cw_mul(wp.spatial_bottom(damping), turning)

    # Back into the world, and about each joint's axis.
    force = wp.quat_rotate_inv(to_base, force)
    moment = wp.quat_rotate_inv(to_base, moment)
    place = wp.transform_get_translation(link_pose[robot, body]) + arm
    for joint in range(joint_links.shape[0]):
        link = link_pose[robot, joint_links[joint]]
        direction = wp.transform_vector(link, joint_directions[joint])
        lever = place - wp.transform_point(link, joint_points[joint])
        torques[robot, joint] = wp.dot(direction, moment + wp.cross(lever, force))
