# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The arm itself, behind a small interface: read, go home, follow, stop."""

from .franky_arm import FrankyArm
from .interface import AT_REST, Arm, ArmError, Snapshot

__all__ = ["AT_REST", "Arm", "ArmError", "FrankyArm", "Snapshot"]
