# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A standing bottle: a body and a neck, both cylinders."""

from __future__ import annotations

from typing import Any

import isaaclab.sim as sim_utils
from isaaclab.sim.spawners.shapes.shapes import spawn_geom_from_prim_type
from isaaclab.sim.utils import clone
from isaaclab.utils import configclass

FRICTION = (0.2, 0.4)
"""Range of its coefficient of friction on the table. Source: plastic on plywood has 0.2 (CTU Code of IMO, ILO and
UNECE, annex 7); up to twice that is ours, for a bottle that is not clean."""


@clone
def spawn_bottle(prim_path: str, cfg: BottleCfg, translation=None, orientation=None, **kwargs) -> Any:
    """Spawns the body as one rigid object, and the neck as a second shape of it."""
    prim = spawn_geom_from_prim_type(
        prim_path, cfg, "Cylinder", {"radius": cfg.radius, "height": cfg.height}, translation, orientation
    )
    neck = sim_utils.CylinderCfg(
        radius=cfg.neck_radius,
        height=cfg.neck_height,
        collision_props=cfg.collision_props,
        physics_material=cfg.physics_material,
        visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=cfg.cap_colour),
    )
    shape = {"radius": cfg.neck_radius, "height": cfg.neck_height}
    above = (0.0, 0.0, (cfg.height + cfg.neck_height) / 2)
    spawn_geom_from_prim_type(f"{prim_path}/neck", neck, "Cylinder", shape, above)
    return prim


@configclass
class BottleCfg(sim_utils.CylinderCfg):
    """A bottle whose frame is in the middle of its body. Lengths in metres."""

    func = spawn_bottle

    radius: float = 0.033
    """Radius of the body: a half-litre bottle's."""

    height: float = 0.15
    """Height of the body. Source: with this radius it holds half a litre."""

    neck_radius: float = 0.014
    """Radius of neck and cap. Source: ours, that of a common screw cap (28 mm)."""

    neck_height: float = 0.06
    """Height of neck and cap. Source: ours."""

    cap_colour: tuple[float, float, float] = (0.9, 0.9, 0.92)
    """Colour of neck and cap."""
