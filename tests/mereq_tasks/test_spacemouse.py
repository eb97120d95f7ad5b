# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A SpaceMouse by Isaac Lab's driver: of the device itself only what it sends over USB is made up."""

from __future__ import annotations

import queue
import struct
import time

import hid
import pytest

from mereq_tasks.arguments import TaskUsageError
from mereq_tasks.spacemouse import SpaceMouse

FULL = 350
"""What the device sends at full deflection."""


class Usb:
    """Stands for ``hid.device``."""

    reports: queue.Queue[bytes | None] = queue.Queue()

    def open(self, vendor_id: int, product_id: int) -> None:
        pass

    def read(self, size: int) -> list[int]:
        report = self.reports.get()
        if report is None:
            raise SystemExit  # ends a thread without a word, as an OSError does with many
        return list(report)


@pytest.fixture
def mouse(monkeypatch) -> SpaceMouse:
    Usb.reports = queue.Queue()  # the thread of an earlier test still reads the old one
    monkeypatch.setattr(hid, "device", Usb)
    found = {"product_string": "SpaceMouse Compact", "vendor_id": 0x256F, "product_id": 0xC635}
    monkeypatch.setattr(hid, "enumerate", lambda: [found])
    return SpaceMouse()


def send(kind: int, *values: int) -> None:
    """Sends a report of three numbers, or of a button."""
    body = struct.pack("<3h", *values) if len(values) == 3 else bytes([*values, 0, 0, 0, 0, 0])
    Usb.reports.put(bytes([kind]) + body)
    time.sleep(0.1)


def test_cap_and_buttons(mouse):
    assert mouse.read(False) == {"engaged": False, "axes": (0.0, 0.0, 0.0, 0.0), "gripper": "keep"}
    send(1, FULL, FULL // 2, -2 * FULL)
    assert mouse.read(False)["axes"] == pytest.approx((0.5, 1.0, 1.0, 0.0), abs=0.01)
    send(1, 10, -10, 10)
    send(2, 0, 0, -FULL)
    assert mouse.read(False)["axes"] == pytest.approx((0.0, 0.0, 0.0, 1.0))
    send(3, 2)
    assert mouse.read(True)["engaged"] and mouse.read(True)["gripper"] == "keep", "what is held stays held"
    send(3, 1)
    assert mouse.read(True)["gripper"] == "open" and mouse.read(False)["gripper"] == "open"
    send(3, 1)
    assert mouse.read(False)["gripper"] == "close"
    send(3, 2)
    assert not mouse.read(True)["engaged"] and mouse.read(True)["gripper"] == "keep"
    send(3, 2)
    mouse.release()
    assert not mouse.read(True)["engaged"]


def test_a_device_that_was_unplugged_lets_go(mouse):
    send(1, FULL, 0, 0)
    send(3, 2)
    assert mouse.read(False)["engaged"]
    Usb.reports.put(None)  # reading fails: the driver's thread ends
    time.sleep(0.1)
    assert mouse.read(False) == {"engaged": False, "axes": (0.0, 0.0, 0.0, 0.0), "gripper": "keep"}


def test_without_one_it_is_said_in_a_line(monkeypatch):
    monkeypatch.setattr(hid, "enumerate", list)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with pytest.raises(TaskUsageError, match=r"no SpaceMouse: .*SpaceMouse Compact"):
        SpaceMouse()
