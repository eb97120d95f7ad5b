# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Builds the FR3's USD on first use into a cache, named by a hash of what goes into it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import tempfile
from pathlib import Path

from isaaclab.sim.spawners.from_files import UsdFileCfg, spawn_from_usd
from isaaclab.utils import configclass

from ..caches import robot_cache
from . import fr3_description


def fr3_usd_path(tool: str) -> Path:
    """Returns the USD of the FR3 with a tool, building it (about 2 s) if this machine has not yet.

    The cache entry is named by a hash of the derived URDF and of the converter's version. It is built beside its place
    and renamed, so that two processes that start at once never see half a robot.

    Args:
        tool: ``"gripper"``, ``"eraser"`` or ``"pusher"``.
    """
    urdf = fr3_description.to_bytes(fr3_description.build_urdf(tool))
    version = importlib.metadata.version("urdf-usd-converter")
    key = hashlib.sha256(urdf + version.encode()).hexdigest()[:16]
    usd = robot_cache() / f"fr3_{tool}_{key}" / "fr3.usda"
    if not usd.is_file():
        _convert(urdf, usd.parent)
    return usd


def _convert(urdf: bytes, target: Path) -> None:
    from urdf_usd_converter import Converter

    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=target.parent, prefix=".building_"))
    try:
        source = building / "fr3.urdf"
        source.write_bytes(urdf)
        Converter(scene=False).convert(str(source.resolve()), str(building / "usd"))
        try:
            os.rename(building / "usd", target)
        except OSError:
            if not (target / "fr3.usda").is_file():  # otherwise another process was quicker, with the same bytes
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def spawn_fr3(prim_path: str, cfg: Fr3UsdCfg, *args, **kwargs):
    """Spawns the FR3, building its USD first where needed."""
    cfg.usd_path = str(fr3_usd_path(cfg.tool))
    return spawn_from_usd(prim_path, cfg, *args, **kwargs)


@configclass
class Fr3UsdCfg(UsdFileCfg):
    """Spawns the FR3 from the cache. Reading this config builds nothing; spawning does."""

    func = spawn_fr3

    usd_path: str = ""
    """Filled in at spawn time."""

    tool: str = "gripper"
    """What the hand is or carries: ``"gripper"``, ``"eraser"`` or ``"pusher"``."""
