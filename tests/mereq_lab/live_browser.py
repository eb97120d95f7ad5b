# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A person's real browser, without a window."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Browser, Page

from .live_stand import Stand

GAMEPAD = """
const buttons = Array.from({ length: 17 }, () => ({ pressed: false }));
window.pad = { mapping: "standard", axes: [0, 0, 0, 0], buttons };
navigator.getGamepads = () => [null, window.pad];
"""


def open_page(browser: Browser, url: str, person: str = "Ada") -> Page:
    """As a person comes in: the link, their name."""
    page = browser.new_context(viewport={"width": 1000, "height": 700}).new_page()
    page.add_init_script(GAMEPAD)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.complaints = complaints  # type: ignore[attr-defined]  # for the test that asks
    page.goto(url)
    page.locator("#person").fill(person)
    page.keyboard.press("Enter")
    return page


def control_of(stand: Stand, holds) -> None:
    """Waits until the server hears what was meant."""
    wait_for(lambda: (control := stand.seats.state(0).control) is not None and holds(control), 5.0)


def wait_for(holds: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
