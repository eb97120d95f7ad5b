# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether a key is held, from what a terminal or an input device says of it."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import time
from pathlib import Path

REPEAT_GAP = 0.12
"""Time between two signs of a held key, at most [s]: terminals repeat 25 to 30 times a second."""

SIGNS_TO_HOLD = 3
"""Signs in a row that make a held key. A tap is one; terminals wait 0.2 to 0.7 s before they repeat a key."""


class RepeatedKey:
    """A key of a terminal, which says when a key goes down and repeats it while it is held, but not when it goes up."""

    def __init__(self) -> None:
        """Begin: the key is up."""
        self._last: float | None = None
        self._count = 0

    def press(self, now: float) -> None:
        """Take what one look found [s]; characters that come together are one sign, since they were on their way."""
        in_a_row = self._last is not None and now - self._last <= REPEAT_GAP
        self._count = self._count + 1 if in_a_row else 1
        self._last = now

    def is_held(self, now: float) -> bool:
        """Whether the key is down."""
        return self._last is not None and self._count >= SIGNS_TO_HOLD and now - self._last <= REPEAT_GAP


# --- a key of an input device -----------------------------------------------------------------------------------------

_EVENT = struct.Struct("llHHi")
"""``struct input_event``: seconds, microseconds, type, code, value. Source: linux/input.h."""

_SYNCHRONISATION, _DROPPED = 0, 3
_KEY_EVENT, _UP, _DOWN = 1, 0, 1

_GRAB = 0x40044590
"""``EVIOCGRAB``: no other program gets the device's keys, so that a pedal does not type. Source: linux/input.h."""

LATE_EVENT = 0.1
"""Age beyond which a press counts as late [s]."""


class DeviceError(OSError):
    """An input device cannot be read. The message is one line."""


class DeviceKey:
    """Any key of an input device at this machine: a foot pedal, a button, a keyboard, with the kernel's time stamps.

    The device says when a key goes up. That is what a terminal cannot tell.
    """

    def __init__(self, path: Path) -> None:
        """Open the device.

        Raises:
            DeviceError: It cannot be opened, or is no input device.
        """
        try:
            self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            if not stat.S_ISFIFO(os.fstat(self.descriptor).st_mode):  # a pipe, of a program that stands for a device
                fcntl.ioctl(self.descriptor, _GRAB, 1)
        except OSError as error:
            raise DeviceError(f"{path}: {error.strerror}; it must be an input device") from error
        self._path = path
        self._down: set[int] = set()
        self._rest = b""

    def look(self) -> None:
        """Take all events that are there.

        Raises:
            DeviceError: The device is gone, or events were lost.
        """
        try:
            data = os.read(self.descriptor, 64 * _EVENT.size)
        except BlockingIOError:
            return
        except OSError as error:
            raise DeviceError(f"{self._path}: {error.strerror}") from error
        if not data:
            raise DeviceError(f"{self._path}: it is gone")
        data = self._rest + data
        whole = len(data) // _EVENT.size * _EVENT.size
        self._rest = data[whole:]
        for seconds, microseconds, kind, code, value in _EVENT.iter_unpack(data[:whole]):
            if (kind, code) == (_SYNCHRONISATION, _DROPPED):
                raise DeviceError(f"{self._path}: events were lost, and with them perhaps that the key went up")
            if kind != _KEY_EVENT:
                continue
            age = time.time() - (seconds + 1e-6 * microseconds)
            if value == _UP:
                self._down.discard(code)
            elif value == _DOWN and abs(age) <= LATE_EVENT:
                self._down.add(code)

    @property
    def is_down(self) -> bool:
        """Whether a key is held."""
        return bool(self._down)

    def close(self) -> None:
        """Let go of the device."""
        os.close(self.descriptor)
