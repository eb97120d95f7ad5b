# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Draws recorded states of a task, without Isaac Sim, a display or a GPU; on a GPU by the same code.

Recording and drawing are apart, so that episodes that were run one after the other can be seen side by side, at any
rate of frames, and none of them has to be kept as pictures.
"""

from __future__ import annotations

import math
from typing import Any

import isaaclab.sim as sim_utils
import numpy as np
import torch
import warp as wp
from isaaclab.assets import AssetBaseCfg
from isaaclab.envs import ManagerBasedRLEnv, ManagerBasedRLEnvCfg
from isaaclab.sensors import CameraCfg
from isaaclab.sim import SimulationContext
from isaaclab.utils.math import create_rotation_matrix_from_view, quat_from_matrix
from isaaclab_newton.physics import NewtonBackendCfg
from isaaclab_newton.renderers import NewtonWarpRendererCfg
from PIL import Image
from tensordict import TensorDict

from .view_cfg import PropState, ViewCfg

APERTURE = 20.955
"""Width of the camera's sensor [mm]; USD's default. Only its ratio to the focal length matters."""

BACKGROUND = (0.90, 0.92, 0.95)
"""Colour behind everything: a light wall."""

LINEAR_UP_TO = 0.7
"""Share of the brightest light up to which a picture is as bright as what it shows; above, ever less, so that a white
arm keeps its shading."""

BRIGHTEST = 4.0
"""Light that is drawn white; a lamp that shines straight at a white surface gives about half of it."""

SUPERSAMPLING = 1.1
"""Rays a pixel along each side. 1 leaves jagged edges; a frame of three panes took 0.54 s of one core with it, 0.70 s
with 1.25."""


def add_view(env_cfg: ManagerBasedRLEnvCfg, view: ViewCfg, width: int, height: int) -> None:
    """Puts camera, scenery and props into a task's scene.

    Args:
        env_cfg: The task's settings, changed in place.
        view: What to put there.
        width: Width of a picture [px].
        height: Height of a picture [px].
    """
    # A tree that takes longer to build and is faster to follow: 0.70 instead of 0.75 s a frame. Not used in physics.
    physics: Any = env_cfg.sim.physics
    physics.bvh_constructor_geometry = "sah"
    scene: Any = env_cfg.scene
    for name, cfg in view.scenery.items():
        setattr(scene, name, cfg)
    for name, spawn in view.props.items():
        setattr(scene, name, AssetBaseCfg(prim_path=f"{{ENV_REGEX_NS}}/{name}", spawn=spawn))
    rotation = create_rotation_matrix_from_view(torch.tensor([view.eye]), torch.tensor([view.target]), up_axis="Z")
    across = APERTURE * min(1.0, height / width)
    scene.camera = CameraCfg(
        prim_path="{ENV_REGEX_NS}/Camera",
        offset=CameraCfg.OffsetCfg(
            pos=view.eye, rot=tuple(quat_from_matrix(rotation)[0].tolist()), convention="opengl"
        ),
        data_types=["rgb_hdr"],
        width=round(width * SUPERSAMPLING),
        height=round(height * SUPERSAMPLING),
        spawn=sim_utils.PinholeCameraCfg(
            focal_length=0.5 * across / math.tan(math.radians(view.field_of_view) / 2),
            horizontal_aperture=APERTURE,
            clipping_range=(0.05, 20.0),
        ),
        background_color=BACKGROUND,
        renderer_cfg=NewtonWarpRendererCfg(enable_shadows=True),
    )


class Stage:
    """Takes down what a task's robots and objects do, and shows it again."""

    def __init__(self, env: ManagerBasedRLEnv, view: ViewCfg, width: int, height: int) -> None:
        """Find the props among the shapes that are drawn.

        Args:
            env: A running task whose settings went through :func:`add_view`.
            view: As there.
            width: As there [px].
            height: As there [px].
        """
        self._env = env
        self._view = view
        self._size = (height, width)
        simulation = SimulationContext.instance()
        backend = simulation.get_or_create_backend(
            NewtonBackendCfg(physics_cfg=simulation.cfg.physics, device=simulation.device)
        )
        labels = backend.model.shape_label
        rows = [
            [next(i for i, label in enumerate(labels) if f"/env_{robot}/{name}/" in label) for name in view.props]
            for robot in range(env.num_envs)
        ]
        self._prop_shapes = torch.tensor(rows, dtype=torch.long, device=env.device)
        # The renderer reads these arrays anew in every frame.
        self._shape_transform = wp.to_torch(backend.model.shape_transform)
        self._shape_colour = wp.to_torch(backend.model.shape_color)
        # A table costs a tenth of the arithmetic; steps this fine stay below one of the 255 even in the dark.
        self._encoded = _encode(torch.linspace(0.0, BRIGHTEST, 16_384, device=env.device))

    def snapshot(self) -> TensorDict:
        """Returns all that :meth:`show` needs, and the trace. Batch size: (num_envs,)."""
        count = self._env.num_envs
        state = self._env.scene.get_state(is_relative=True)
        snapshot = TensorDict({"scene": {kind: items for kind, items in state.items() if items}}, batch_size=[count])
        if self._view.place_props is not None:
            props = self._view.place_props(self._env)
            snapshot["props"] = {"position": props.position.clone(), "colour": props.colour.clone()}
        snapshot["trace"] = self._view.trace.func(self._env).flatten().clone()
        return snapshot

    def show(self, snapshot: TensorDict) -> torch.Tensor:
        """Puts everything where it was, and takes a picture of every robot.

        Args:
            snapshot: As from :meth:`snapshot`. Physics may not go on from here: targets and contacts are not restored.

        Returns:
            Red, green and blue. Shape: (num_envs, height, width, 3), dtype: uint8
        """
        snapshot = snapshot.to(self._env.device)
        scene = self._env.scene
        scene.reset_to(snapshot["scene"].to_dict(), is_relative=True)
        if "props" in snapshot.keys():  # noqa: SIM118 (a TensorDict iterates over its batch)
            self._place(PropState(**snapshot["props"]))
        self._env.sim.forward()
        camera = scene["camera"]
        camera.update(0.0, force_recompute=True)
        return self._develop(camera.data.output["rgb_hdr"].torch)

    @staticmethod
    def between(first: TensorDict, second: TensorDict, share: float) -> TensorDict:
        """Returns the snapshot at a share of the time between two of them.

        Joint angles, positions and colours go along straight lines, orientations along the shorter way: good enough to
        look at between two steps of 0.05 s.

        Args:
            first: A snapshot.
            second: The one a step later.
            share: From 0 (the first) to 1 (the second).
        """
        mixed = first + (second - first) * share
        for name, mixed_pose in list(mixed.items(include_nested=True, leaves_only=True)):
            if name[-1] != "root_pose":
                continue
            start, end = first[name][..., 3:], second[name][..., 3:]
            same_side = torch.where((start * end).sum(dim=-1, keepdim=True) < 0, -1.0, 1.0)
            rotation = start + (same_side * end - start) * share
            mixed_pose[..., 3:] = rotation / rotation.norm(dim=-1, keepdim=True)
        return mixed

    def _place(self, props: PropState) -> None:
        self._shape_transform[self._prop_shapes, :3] = props.position + self._env.scene.env_origins.unsqueeze(1)
        self._shape_colour[self._prop_shapes] = props.colour

    def _develop(self, light: torch.Tensor) -> torch.Tensor:
        """Turns linear light into a picture. Shape of light: (num_envs, rows, columns, 3)."""
        place = (light * (len(self._encoded) / BRIGHTEST)).clamp_(0, len(self._encoded) - 1).int()
        height, width = self._size
        # Pillow's filter on bytes takes a fifth of the time of torch's on floats.
        pictures = [
            np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
            for picture in self._encoded[place].cpu().numpy()
        ]
        return torch.from_numpy(np.stack(pictures))


def _encode(light: torch.Tensor) -> torch.Tensor:
    """Returns linear light as sRGB bytes."""
    rest = 1.0 - LINEAR_UP_TO
    light = torch.where(light < LINEAR_UP_TO, light, 1.0 - rest * torch.exp((LINEAR_UP_TO - light) / rest))
    encoded = torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clamp(min=1e-6) ** (1 / 2.4) - 0.055)
    return (255.0 * encoded).round().to(torch.uint8)
