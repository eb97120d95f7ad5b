# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A process of its own between policy and arm: it looks at the arm 200 times a second, whatever the policy does."""

from .handle import GuardedArm, StoppedError
from .messages import Reading, Stopped

__all__ = ["GuardedArm", "Reading", "Stopped", "StoppedError"]
