# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a person's browser may say, checked: nothing of a message is used that is not looked at here."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Button = Literal["pause", "resume", "discard", "success", "failure", "stop", "finish"]
Gripper = Literal["keep", "open", "close"]

MAX_BYTES = 2_048
"""Longest message. The longest that the page sends has about 200 bytes."""

MAX_NAME = 40
"""Longest name of a person, in characters."""


class MessageError(ValueError):
    """A message is none. The text is one line."""


@dataclass(frozen=True)
class Control:
    """What the person's hands do now; sent again and again, so that silence means that nobody is there."""

    engaged: bool = False
    """Whether they hold the robot."""

    axes: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Forward, left, up, and a turn to the left about the vertical; each in [-1, 1]."""

    gripper: Gripper = "keep"
    """What the fingers do; ``keep`` leaves them as they are."""

    def combined(self, other: Control) -> Control:
        """Return what two devices in the same hands ask for together; the other one has the gripper."""
        forward, left, up, turn = (
            min(max(mine + theirs, -1.0), 1.0) for mine, theirs in zip(self.axes, other.axes, strict=True)
        )
        gripper = self.gripper if other.gripper == "keep" else other.gripper
        return Control(self.engaged or other.engaged, (forward, left, up, turn), gripper)


@dataclass(frozen=True)
class Hello:
    """Who is there."""

    person: str
    """Their name, as recordings get it."""

    key: str
    """A random word that their browser keeps: whoever comes back with it is the same person."""

    tab: str = field(default="", compare=False)
    """Another one, of this tab alone: it need not ask itself for the seat when it connects again.
    Nothing where it did not say."""


@dataclass(frozen=True)
class TakeSeat:
    """They want to supervise a robot."""

    robot: int
    elsewhere: bool = False
    """Whether they give up the seat that they hold in another tab."""


@dataclass(frozen=True)
class LeaveSeat:
    """They supervise no more."""


@dataclass(frozen=True)
class Press:
    """They press a button of the page."""

    button: Button


@dataclass(frozen=True)
class Ping:
    """They want to know how long a message takes."""

    time: float
    waits: bool = False
    """Whether they hold a seat, and wait for the picture."""


Message = Control | Hello | TakeSeat | LeaveSeat | Press | Ping


def parse_message(text: str | bytes) -> Message:
    """Read a message.

    Args:
        text: JSON, an object with a ``type``.

    Raises:
        MessageError: It is too long, no JSON, of no known type, or holds something that does not belong there.
    """
    if not isinstance(text, str):
        raise MessageError("a message is text")
    if len(text.encode()) > MAX_BYTES:
        raise MessageError(f"a message has at most {MAX_BYTES} bytes")
    try:
        values = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MessageError("a message is JSON") from error
    if not isinstance(values, dict):
        raise MessageError("a message is an object")
    kind = values.pop("type", None)
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise MessageError("a message has a known type")
    try:
        return reader(**values)
    except TypeError as error:
        raise MessageError(f"a message of type {kind} has other fields") from error


def _refuse(constant: str) -> None:
    raise MessageError(f"{constant} is no number")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise MessageError("a number was expected")
    try:
        number = float(value)
    except OverflowError as error:  # JSON's integers have no end
        raise MessageError("a number was expected") from error
    if not math.isfinite(number):
        raise MessageError("a number was expected")
    return number


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise MessageError("true or false was expected")
    return value


def _one_of(value: Any, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        raise MessageError(f"one of {', '.join(choices)} was expected")
    return value


def _words(value: Any, max_length: int) -> str:
    if not isinstance(value, str):
        raise MessageError("text was expected")
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())
    if not 0 < len(text) <= max_length:
        raise MessageError(f"1 to {max_length} characters were expected")
    return text


def _control(engaged: Any, axes: Any, gripper: Any = "keep") -> Control:
    if not isinstance(axes, list) or len(axes) != 4:
        raise MessageError("four axes were expected")
    forward, left, up, turn = (min(max(_number(value), -1.0), 1.0) for value in axes)
    return Control(_flag(engaged), (forward, left, up, turn), _one_of(gripper, get_args(Gripper)))


def _take_seat(robot: Any, elsewhere: Any = False) -> TakeSeat:
    if isinstance(robot, bool) or not isinstance(robot, int):
        raise MessageError("the number of a robot was expected")
    return TakeSeat(robot, _flag(elsewhere))


def _hello(person: Any, key: Any, tab: Any = None) -> Hello:
    return Hello(_words(person, MAX_NAME), _words(key, 64), "" if tab is None else _words(tab, 64))


_READERS = {
    "control": _control,
    "hello": _hello,
    "seat": _take_seat,
    "leave": LeaveSeat,
    "press": lambda button: Press(_one_of(button, get_args(Button))),
    "ping": lambda time, waits=False: Ping(_number(time), _flag(waits)),
}
