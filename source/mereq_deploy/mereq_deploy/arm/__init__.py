# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The arm itself, behind a small interface: connect, read, go home, follow, send, stop, recover."""

from .franky_arm import ArmError, FrankyArm, Snapshot

__all__ = ["ArmError", "FrankyArm", "Snapshot"]
