# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where the policies are that come with the suite."""

from pathlib import Path

POLICIES = Path(__file__).resolve().parents[3] / "assets" / "policies"


def shipped_policy(task: str, name: str) -> Path:
    """Returns the file of a task's ``prior`` or ``expert``."""
    return POLICIES / task / f"{name}.safetensors"
