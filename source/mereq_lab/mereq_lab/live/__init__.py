# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A live person takes over in a browser.

Two processes: one in which a few robots keep to the clock on the wall and people watch (:mod:`session`, with the web
server :mod:`server` in a thread), and one that learns (:class:`LiveRunner`), connected by a :class:`Link`. What a
person did goes from one to the other as recordings.
"""

from .control import Control, Hello, MessageError, parse_message
from .inner_listener import InnerListener
from .link import Link, LinkError, LiveProcess
from .live_person import LivePerson, SteeringDevice, Watch
from .live_runner import LiveRunner
from .panel import Panel
from .problem import problem_of
from .realtime_env import RealtimeEnv
from .seats import SeatError, Seats
from .server import LiveServer, PortError
from .session import LiveSession, RoundOrder
from .steering import ActionLayout, Steering

__all__ = [
    "ActionLayout",
    "Control",
    "Hello",
    "InnerListener",
    "Link",
    "LinkError",
    "LivePerson",
    "LiveProcess",
    "LiveRunner",
    "LiveServer",
    "LiveSession",
    "MessageError",
    "Panel",
    "PortError",
    "RealtimeEnv",
    "RoundOrder",
    "SeatError",
    "Seats",
    "Steering",
    "SteeringDevice",
    "Watch",
    "parse_message",
    "problem_of",
]
