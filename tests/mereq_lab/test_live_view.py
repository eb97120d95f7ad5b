# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The 3D view in a real browser: whoever sees nothing does not watch, and it is loaded when it has to be."""

from __future__ import annotations

import contextlib
import gzip
import io
from urllib.parse import urlsplit

import pytest
import viser
from playwright.sync_api import expect

from .black_hole import Cable
from .live_browser import control_of, open_page, wait_for
from .live_stand import Stand

pytestmark = pytest.mark.timeout(120)


def test_who_sees_nothing_does_not_watch(tmp_path, browser):
    """The connection of the 3D view leads nowhere, then somewhere, and is cut and made again."""
    with contextlib.redirect_stdout(io.StringIO()):
        view = viser.ViserServer(host="127.0.0.1", port=0, verbose=False)
    cable = Cable(f"http://127.0.0.1:{view.get_port()}/")
    cable.is_drawn.set()
    stand = Stand(tmp_path / "recordings", views=[urlsplit(cable.url).port or 0])
    page = open_page(browser, f"{stand.server.url}?picture=coarse")
    stand.begin(episodes=1000)
    expect(page.locator("#banner")).to_have_text("waiting for the picture")
    expect(page.frame_locator("#view").locator("canvas").first).to_be_visible(timeout=60_000)
    assert stand.seats.state(0).is_connected and stand.points.log == []

    cable.is_drawn.clear()
    page.frames[1].locator("body").click()  # viser's client tries again only where somebody looks
    wait_for(lambda: stand.points.log)
    stand.server._views[0] = view.get_port()
    cable.close()
    wait_for(lambda: stand.seats.state(0).control is None)
    wait_for(lambda: stand.seats.state(0).control is not None)
    assert stand.seats.state(0).is_connected, "the page itself was never gone"
    page.context.close()
    view.stop()
    stand.close()


def test_a_view_of_another_robot_is_loaded_once_and_begins_with_hands_off(tmp_path, browser):
    with contextlib.redirect_stdout(io.StringIO()):
        views = [viser.ViserServer(host="127.0.0.1", port=0, verbose=False) for _ in range(2)]
    stand = Stand(tmp_path / "recordings", num_robots=2, views=[view.get_port() for view in views])
    page = open_page(browser, f"{stand.server.url}?picture=coarse")
    loads: list[str] = []
    page.on("request", lambda request: loads.append(request.url) if "/view/" in request.url else None)
    stand.begin(episodes=1000)
    wait_for(lambda: stand.seats.state(0).control is not None)
    page.keyboard.down("Space")
    wait_for(lambda: (control := stand.seats.state(0).control) is not None and control.engaged)
    loads.clear()
    page.get_by_role("button", name="robot 2").click()
    wait_for(lambda: stand.seats.state(1).is_connected)
    wait_for(lambda: stand.seats.state(1).control is not None)
    control = stand.seats.state(1).control
    assert control is None or not control.engaged, "what was held was the other one"
    page.wait_for_timeout(1_000)  # in which what was asked for arrives here, too
    assert len(loads) == 1 and "/view/1/" in loads[0]
    page.context.close()
    for view in views:
        view.stop()
    stand.close()


def test_without_a_picture_nothing_is_loaded_again_and_again(tmp_path, browser):
    """As it would be half a minute later, sooner: what is held stays held."""
    stand = Stand(tmp_path / "recordings", views=[1])
    page = browser.new_context().new_page()
    script = stand.server._files["live.js"]
    hurried = gzip.compress(gzip.decompress(script[0]).replace(b"VIEW_MS = 30000", b"VIEW_MS = 300"))
    stand.server._files["live.js"] = (hurried, script[1])
    page.goto(f"{stand.server.url}?picture=none")
    page.locator("#person").fill("Ada")
    page.keyboard.press("Enter")
    wait_for(lambda: stand.seats.state(0).control is not None)
    page.keyboard.down("Space")
    control_of(stand, lambda control: control.engaged)
    page.wait_for_timeout(1_500)
    control_of(stand, lambda control: control.engaged)
    assert page.locator("#view").get_attribute("src") == "about:blank"
    page.context.close()
    stand.close()
