# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Shows a robot in a browser, which does all the drawing: the machine of the robots renders nothing."""

from __future__ import annotations

import contextlib
import io
import math
import socket
from typing import Any, cast

import newton
import numpy as np
import trimesh
import viser
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.sim import SimulationContext
from isaaclab_newton.physics import NewtonBackendCfg

from ..mdp import ToolStepAction
from .served_at import served_at
from .stage import BACKGROUND
from .view_cfg import ViewCfg

LETTERS = {"W": (1.0, 0.0), "A": (0.0, 1.0), "S": (-1.0, 0.0), "D": (0.0, -1.0)}
"""Keys that move the tool, with where they move it: forward, left."""

MAX_FACES = 2_000
"""Triangles of a mesh at most. The arm's 37 have 400,000, which a phone, or a browser without a GPU, cannot turn at the
rate at which they move."""

FARTHER = 1.2
"""How much farther than a film's camera the browser's begins: part of the picture is behind what the page says."""

LETTER_DISTANCE = 0.13
"""From the tool to the letters around it [m]."""


class BrowserScene:
    """The scene of one robot, served by viser within this process, or on this machine alone."""

    def __init__(
        self, env: ManagerBasedRLEnv, view: ViewCfg, robot: int, listener: socket.socket | None = None
    ) -> None:
        """Send what the robot and its surroundings are made of.

        Args:
            env: A running task whose settings went through :func:`~mereq_tasks.view.add_view`.
            view: As there.
            robot: Which of the environment's robots.
            listener: Where it is served. None: a port of this machine, which its other users can reach as well.
        """
        self._env = env
        self._view = view
        self._robot = robot
        simulation = SimulationContext.instance()
        self._backend = simulation.get_or_create_backend(
            NewtonBackendCfg(physics_cfg=simulation.cfg.physics, device=simulation.device)
        )
        self._origin = env.scene.env_origins[robot].cpu().numpy()
        with contextlib.redirect_stdout(io.StringIO()), served_at(listener):
            self._server = viser.ViserServer(host="127.0.0.1", port=0, label="robot", verbose=False)
        # Whoever looks on could ask for it, and viser would open a tunnel to the public.
        self._server.request_share_url = lambda *args, **kwargs: None  # type: ignore[method-assign]
        self._server.gui.configure_theme(show_logo=False, show_share_button=False)
        self._server.gui.main_panel.minimize()
        self._server.scene.configure_default_lights(cast_shadow=False)  # a third of the time that a weak GPU takes
        eye, target = np.array(view.eye), np.array(view.target)
        self._server.initial_camera.position = target + FARTHER * (eye - target)
        self._server.initial_camera.look_at = view.target
        self._server.initial_camera.fov = math.radians(view.field_of_view)
        self._server.scene.set_background_image(_plain(BACKGROUND))
        self._bodies: dict[int, Any] = {}
        self._props: list[Any] = [None] * len(view.props)
        self._build()
        self._letters = self._add_letters()
        self.update(False)

    @property
    def port(self) -> int:
        """Where it is served, on 127.0.0.1; 0 within this process."""
        return self._server.get_port()

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()

    def update(self, is_held: bool) -> None:
        """Show where everything is.

        Args:
            is_held: Whether a person has the robot: then letters beside the tool tell which key moves it where.
        """
        poses = self._backend.state_0.body_q.numpy()
        with self._server.atomic():
            for body, frame in self._bodies.items():
                frame.position = poses[body, :3] - self._origin
                frame.wxyz = _wxyz(poses[body, 3:])
            self._place_props()
            self._show_letters(is_held)

    def _show_letters(self, is_held: bool) -> None:
        for letter in self._letters.values():
            letter.visible = is_held
        if not is_held:
            return
        x, y, z = cast(ToolStepAction, self._env.action_manager.get_term("tool")).pose()[self._robot, :3].tolist()
        for name, letter in self._letters.items():
            ahead, aside = _turned(*LETTERS[name], heading(self._view))
            letter.position = (x + LETTER_DISTANCE * ahead, y + LETTER_DISTANCE * aside, z)

    def _build(self) -> None:
        """Add all shapes that are drawn, each below the body that carries it."""
        model = self._backend.model
        kinds, bodies = model.shape_type.numpy(), model.shape_body.numpy()
        is_visible = model.shape_flags.numpy() & int(newton.ShapeFlags.VISIBLE) != 0
        scales, poses, colours = (
            array.numpy() for array in (model.shape_scale, model.shape_transform, model.shape_color)
        )
        prop_names = list(self._view.props)
        for shape, label in enumerate(model.shape_label):
            if not is_visible[shape] or f"/env_{self._robot}/" not in label:
                continue
            mesh = _mesh(newton.GeoType(kinds[shape]), scales[shape], model.shape_source[shape])
            body = int(bodies[shape])
            parent = "/world" if body < 0 else f"/body_{body}"
            if body >= 0 and body not in self._bodies:
                self._bodies[body] = self._server.scene.add_frame(parent, show_axes=False)
            handle = self._server.scene.add_mesh_simple(
                f"{parent}/shape_{shape}",
                mesh.vertices.astype(np.float32),
                mesh.faces.astype(np.uint32),
                color=_srgb(colours[shape]),
                side="double",
                position=poses[shape, :3] - (self._origin if body < 0 else 0.0),
                wxyz=_wxyz(poses[shape, 3:]),
            )
            prop = next((name for name in prop_names if f"/env_{self._robot}/{name}/" in label), None)
            if prop is not None:
                self._props[prop_names.index(prop)] = handle

    def _place_props(self) -> None:
        if self._view.place_props is None:
            return
        state = self._view.place_props(self._env)
        positions = state.position[self._robot].cpu().numpy()
        colours = (255.0 * state.colour[self._robot]).round().byte().cpu().tolist()
        for prop, position, colour in zip(self._props, positions, colours, strict=True):
            if tuple(prop.color) != tuple(colour):
                prop.color = tuple(colour)
            if not np.allclose(prop.position, position, atol=1e-5):
                prop.position = position

    def _add_letters(self) -> dict[str, Any]:
        return {name: self._server.scene.add_label(f"/keys/{name}", name, visible=False) for name in LETTERS}


def heading(view: ViewCfg) -> float:
    """Returns where a person at the camera looks, seen from above, to a quarter turn [rad].

    Forward is then along an axis of the robot, and the same however the camera is moved later.
    """
    ahead = [target - eye for target, eye in zip(view.target, view.eye, strict=True)]
    return round(math.atan2(ahead[1], ahead[0]) / (0.5 * math.pi)) * 0.5 * math.pi


def figures(env: ManagerBasedRLEnv, view: ViewCfg) -> list[dict[str, Any]]:
    """Returns the figure to watch of every robot, and where its tool is in the base frame [m], as they are now."""
    tools = cast(ToolStepAction, env.action_manager.get_term("tool")).pose()[:, :3].tolist()
    values = view.trace.func(env).flatten().tolist()
    return [{"trace": value, "tool": tool} for value, tool in zip(values, tools, strict=True)]


def describe_trace(env: ManagerBasedRLEnv, view: ViewCfg) -> dict[str, Any]:
    """Returns what the figure to watch is, and what the person likes it to be."""
    trace = view.trace
    preferred = [min(max(value, trace.limits[0]), trace.limits[1]) for value in trace.preferred(env)]
    return {"label": trace.label, "unit": trace.unit, "limits": list(trace.limits), "preferred": preferred}


def _turned(forward: float, left: float, angle: float) -> tuple[float, float]:
    return math.cos(angle) * forward - math.sin(angle) * left, math.sin(angle) * forward + math.cos(angle) * left


def _mesh(kind: newton.GeoType, scale: np.ndarray, source: Any) -> trimesh.Trimesh:
    """Returns a shape's surface in its own frame [m]."""
    half_extents = [max(float(value), 1e-4) for value in scale]
    match kind:
        case newton.GeoType.MESH | newton.GeoType.CONVEX_MESH:
            mesh = trimesh.Trimesh(source.vertices * scale, np.reshape(source.indices, (-1, 3)), process=False)
            mesh.merge_vertices(merge_norm=True, merge_tex=True)
            if len(mesh.faces) <= MAX_FACES:
                return mesh
            return mesh.simplify_quadric_decimation(face_count=MAX_FACES)
        case newton.GeoType.BOX:
            return trimesh.creation.box([2.0 * extent for extent in half_extents])
        case newton.GeoType.PLANE:
            return trimesh.creation.box([_plane_side(scale[0]), _plane_side(scale[1]), 1e-3])
        case newton.GeoType.SPHERE:
            return trimesh.creation.icosphere(radius=half_extents[0])
        case newton.GeoType.CYLINDER:
            return trimesh.creation.cylinder(half_extents[0], 2.0 * half_extents[1])
        case newton.GeoType.CAPSULE:
            return trimesh.creation.capsule(2.0 * half_extents[1], half_extents[0])
    raise ValueError(f"no surface for shapes of kind {kind.name}")


def _plane_side(scale: float) -> float:
    """Returns the side of a plane's visible part [m]; Newton has 0 for one without an end."""
    return 3.0 if scale <= 0.0 else float(scale)


def _wxyz(xyzw: np.ndarray) -> np.ndarray:
    return xyzw[[3, 0, 1, 2]]


def _srgb(linear: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (255.0 * np.clip(linear, 0.0, 1.0) ** (1 / 2.2)).round().astype(int).tolist()
    return red, green, blue


def _plain(colour: tuple[float, float, float]) -> np.ndarray:
    return np.full((2, 2, 3), [round(255 * channel) for channel in colour], dtype=np.uint8)
