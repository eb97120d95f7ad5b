# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Between policy and arm, always on: what is beyond a limit is clamped or stops the arm."""

from .filter import CONTROL_RATE_HZ, Command, SafetyFilter, check_fits
from .limits import SafetyError, SafetyLimits
from .measured import AT_REST, Measured, Violation
from .tare import Tare
from .way_home import check_way_home

__all__ = [
    "AT_REST",
    "CONTROL_RATE_HZ",
    "Command",
    "Measured",
    "SafetyError",
    "SafetyFilter",
    "SafetyLimits",
    "Tare",
    "Violation",
    "check_fits",
    "check_way_home",
]
