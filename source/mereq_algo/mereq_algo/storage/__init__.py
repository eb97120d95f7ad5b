# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Replay memory: transitions with features, relabelled when they are sampled."""

from .replay_buffer import ReplayBuffer
from .transition import BrokenPhysicsError, before_reset, transition_from_step

__all__ = ["BrokenPhysicsError", "ReplayBuffer", "before_reset", "transition_from_step"]
