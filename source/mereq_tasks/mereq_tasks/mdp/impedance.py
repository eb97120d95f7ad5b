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

from .impedance_kernels import joint_torques, tool_poses
from .joint_axes import JointAxes


class ToolImpedance:
    """Springs and dampers between a tool of a fixed-base arm and a target: τ = Jᵀ (K e - D v)."""

    def __init__(
        self,
        asset: Any,
        body: int,
        joints: list[int],
        offset: torch.Tensor,
        stiffness: list[float],
        damping: list[float],
    ) -> None:
        """Prepare the kernels' arguments.

        Args:
            asset: The arm, an Isaac Lab articulation.
            body: Index of the link that carries the tool.
            joints: The Jacobian's columns of the arm's joints.
            offset: The tool in that link's frame [m]. Shape: (3,)
            stiffness: Along and about the base's axes [N/m, Nm/rad]; 6 numbers.
            damping: Likewise [Ns/m, Nms/rad].
        """
        self._data = asset.data
        self._device = str(asset.device)
        self._num_robots = asset.num_instances
        self._body, self._joints = body, joints
        self._offset = wp.vec3f(*offset.tolist())
        self._gains = wp.spatial_vectorf(*stiffness), wp.spatial_vectorf(*damping)
        self._axes: list[wp.array] | None = None

    def write_pose(self, pose: torch.Tensor) -> None:
        """Measure the tool's pose in the base frame.

        Args:
            pose: Where to write it: position [m] and quaternion [xyzw]. Shape: (num_robots, 7)
        """
        inputs = [self._data.body_link_pose_w.warp, self._data.root_link_pose_w.warp, self._body, self._offset]
        self._launch(tool_poses, inputs, wp.from_torch(pose, dtype=wp.transformf))

    def write_torques(self, target: torch.Tensor, torques: torch.Tensor) -> None:
        """Compute what pulls the tool to a pose.

        Args:
            target: Position [m] and unit quaternion [xyzw] in the base frame. Shape: (num_robots, 7)
            torques: Where to write them [Nm]. Shape: (num_robots, num_joints)
        """
        data = self._data
        if self._axes is None:
            axes = JointAxes.of(data, self._joints)  # not earlier: the simulation has to be there
            vectors = [wp.from_torch(each.contiguous(), dtype=wp.vec3f) for each in (axes.directions, axes.points)]
            self._axes = [wp.from_torch(axes.links.int()), *vectors]
        measured = [data.body_link_pose_w.warp, data.body_link_vel_w.warp, data.root_link_pose_w.warp]
        inputs = [*measured, wp.from_torch(target, dtype=wp.transformf), *self._gains, self._body, *self._axes]
        self._launch(joint_torques, [*inputs, self._offset], wp.from_torch(torques))

    def _launch(self, kernel: wp.Kernel, inputs: list[Any], output: wp.array) -> None:
        wp.launch(kernel, dim=self._num_robots, inputs=inputs, outputs=[output], device=self._device)
