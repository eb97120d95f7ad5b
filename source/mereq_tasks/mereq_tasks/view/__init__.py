# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How a task is looked at: camera, scenery, what is drawn beside the physics, and pictures of recorded states."""

from .stage import Stage, add_view
from .view_cfg import PropState, TraceCfg, ViewCfg

__all__ = ["PropState", "Stage", "TraceCfg", "ViewCfg", "add_view"]
