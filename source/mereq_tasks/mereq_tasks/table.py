# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The table that tasks with objects share."""

from __future__ import annotations

from typing import Any

import isaaclab.sim as sim_utils
from isaaclab.assets import AssetBaseCfg
from isaaclab.sim.spawners.shapes.shapes import spawn_geom_from_prim_type
from isaaclab.sim.utils import clone
from isaaclab.utils import configclass


@clone
def spawn_table(prim_path: str, cfg: TableCfg, translation=None, orientation=None, **kwargs) -> Any:
    """Spawns a plane that faces up."""
    shape = {"axis": "Z", "length": cfg.size[0], "width": cfg.size[1]}
    return spawn_geom_from_prim_type(prim_path, cfg, "Plane", shape, translation, orientation)


@configclass
class TableCfg(sim_utils.CuboidCfg):
    """A table top, without an edge.

    A plane and not a box: a cylinder on a box crept at 1 cm/s in a probe, since a general algorithm looks for their
    contacts anew in every step; a cylinder on a plane has a closed form, and rests.
    """

    func = spawn_table
    size: tuple[float, float, float] = (1.2, 1.2, 0.0)
    collision_props = sim_utils.UsdPhysicsCollisionCfg()


def table() -> AssetBaseCfg:
    """Returns a table that is smoother than all that lies on it: of two friction coefficients the larger counts."""
    return AssetBaseCfg(
        prim_path="{ENV_REGEX_NS}/Table",
        spawn=TableCfg(
            physics_material=sim_utils.RigidBodyMaterialCfg(static_friction=0.1, dynamic_friction=0.1),
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.42, 0.34, 0.26)),
        ),
    )
