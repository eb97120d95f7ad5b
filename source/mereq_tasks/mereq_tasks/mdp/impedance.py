# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Impedance control of a tool, in one kernel a physics step.

Isaac Lab's operational-space controller does the same in some sixty operations of torch and eleven kernels. It is
launched five times a step, whatever the number of robots: of the 37 ms that a step of one robot took on a CPU half
was spent in launching it, and on a GPU it kept the device waiting.
"""

from __future__ import annotations

from typing import Any

import torch
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
def _tool_poses(
    link_pose: wp.array2d(dtype=wp.transformf),  # type: ignore[reportInvalidTypeForm]  # Warp's own annotations
    root_pose: wp.array(dtype=wp.transformf),  # type: ignore[reportInvalidTypeForm]
    body: int,
    offset: wp.vec3f,
    pose: wp.array(dtype=wp.transformf),  # type: ignore[reportInvalidTypeForm]
):
    robot = wp.tid()
    pose[robot] = _tool_in_base(link_pose[robot, body], root_pose[robot], offset)


@wp.kernel
def _joint_torques(
    link_pose: wp.array2d(dtype=wp.transformf),  # type: ignore[reportInvalidTypeForm]
    link_velocity: wp.array2d(dtype=wp.spatial_vectorf),  # type: ignore[reportInvalidTypeForm]
    root_pose: wp.array(dtype=wp.transformf),  # type: ignore[reportInvalidTypeForm]
    jacobian: wp.array4d(dtype=wp.float32),  # type: ignore[reportInvalidTypeForm]
    target: wp.array(dtype=wp.transformf),  # type: ignore[reportInvalidTypeForm]
    stiffness: wp.spatial_vectorf,
    damping: wp.spatial_vectorf,
    body: int,
    jacobian_body: int,
    columns: wp.array(dtype=wp.int32),  # type: ignore[reportInvalidTypeForm]
    offset: wp.vec3f,
    torques: wp.array2d(dtype=wp.float32),  # type: ignore[reportInvalidTypeForm]
):
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

    # Back into the world, where the Jacobian is, and from the tool to the link's origin.
    force = wp.quat_rotate_inv(to_base, force)
    moment = wp.quat_rotate_inv(to_base, moment) + wp.cross(arm, force)
    for joint in range(columns.shape[0]):
        torque = float(0.0)  # noqa: UP018 (Warp takes a bare number for a constant)
        for axis in range(3):
            torque += jacobian[robot, jacobian_body, axis, columns[joint]] * force[axis]
            torque += jacobian[robot, jacobian_body, axis + 3, columns[joint]] * moment[axis]
        torques[robot, joint] = torque


class ToolImpedance:
    """Springs and dampers between a tool of a fixed-base arm and a target: τ = Jᵀ (K e - D v)."""

    def __init__(
        self,
        asset: Any,
        body: int,
        jacobian_body: int,
        joints: list[int],
        offset: torch.Tensor,
        stiffness: list[float],
        damping: list[float],
    ) -> None:
        """Prepare the kernels' arguments.

        Args:
            asset: The arm, an Isaac Lab articulation.
            body: Index of the link that carries the tool.
            jacobian_body: Its index among the Jacobian's bodies.
            joints: The Jacobian's columns of the arm's joints.
            offset: The tool in that link's frame [m]. Shape: (3,)
            stiffness: Along and about the base's axes [N/m, Nm/rad]; 6 numbers.
            damping: Likewise [Ns/m, Nms/rad].
        """
        self._data = asset.data
        self._device = str(asset.device)
        self._num_robots = asset.num_instances
        self._body, self._jacobian_body = body, jacobian_body
        self._offset = wp.vec3f(*offset.tolist())
        self._gains = wp.spatial_vectorf(*stiffness), wp.spatial_vectorf(*damping)
        self._columns = wp.array(joints, dtype=wp.int32, device=self._device)

    def write_pose(self, pose: torch.Tensor) -> None:
        """Measure the tool's pose in the base frame.

        Args:
            pose: Where to write it: position [m] and quaternion [xyzw]. Shape: (num_robots, 7)
        """
        inputs = [self._data.body_link_pose_w.warp, self._data.root_link_pose_w.warp, self._body, self._offset]
        self._launch(_tool_poses, inputs, wp.from_torch(pose, dtype=wp.transformf))

    def write_torques(self, target: torch.Tensor, torques: torch.Tensor) -> None:
        """Compute what pulls the tool to a pose.

        Args:
            target: Position [m] and unit quaternion [xyzw] in the base frame. Shape: (num_robots, 7)
            torques: Where to write them [Nm]. Shape: (num_robots, num_joints)
        """
        data = self._data
        measured = [data.body_link_pose_w.warp, data.body_link_vel_w.warp, data.root_link_pose_w.warp]
        inputs = [*measured, data.body_link_jacobian_w.warp, wp.from_torch(target, dtype=wp.transformf), *self._gains]
        inputs += [self._body, self._jacobian_body, self._columns, self._offset]
        self._launch(_joint_torques, inputs, wp.from_torch(torques))

    def _launch(self, kernel: wp.Kernel, inputs: list[Any], output: wp.array) -> None:
        wp.launch(kernel, dim=self._num_robots, inputs=inputs, outputs=[output], device=self._device)
