# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Between policy and arm, always on: what is beyond a limit is clamped or stops the arm."""

from .filter import CONTROL_RATE_HZ, Command, Measured, SafetyFilter, Violation
from .limits import SafetyError, SafetyLimits

__all__ = ["CONTROL_RATE_HZ", "Command", "Measured", "SafetyError", "SafetyFilter", "SafetyLimits", "Violation"]
