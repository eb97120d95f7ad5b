# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Python's garbage collector looks seldom: a start is over in 5.5 instead of 10 s.

Importing torch, Newton and Isaac Lab makes millions of objects that stay. To look through them while they are imported
took 2 s on a core of an AMD EPYC, and to look once more when the program ends 2.5 s.
"""

from __future__ import annotations

import atexit
import gc

THRESHOLDS = (100_000, 20, 100)
"""Objects after which the collector looks at the youngest, and how often it looks at those before the older ones."""


def collect_seldom() -> None:
    """Set the thresholds of the collector, and leave what is there at the end to the system."""
    gc.set_threshold(*THRESHOLDS)
    atexit.register(gc.freeze)
