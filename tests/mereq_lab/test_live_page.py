# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The page in a real browser without a window: every way to steer, and what it shows."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from mereq_algo.recording import read_episodes
from mereq_lab.live import Hello

from .black_hole import Cable
from .live_browser import control_of, open_page
from .live_stand import Client, Stand

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def stand(tmp_path) -> Iterator[Stand]:
    stand = Stand(tmp_path / "recordings", max_episode_length=400)
    yield stand
    stand.close()


@pytest.fixture
def page(stand, browser: Browser) -> Iterator[Page]:
    page = open_page(browser, stand.server.url)
    stand.begin(episodes=1)
    expect(page.locator("#banner")).to_have_text("the robot is in control")
    yield page
    page.context.close()


def test_keys(stand, page):
    page.keyboard.down("Space")
    expect(page.locator("#banner")).to_have_text("YOU are in control")
    expect(page.locator("body")).to_have_attribute("data-control", "person")
    for key, axis, value in [
        ("w", 0, 0.5),
        ("s", 0, -0.5),
        ("a", 1, 0.5),
        ("d", 1, -0.5),
        ("e", 2, 0.5),
        ("q", 2, -0.5),
    ]:
        page.keyboard.down(key)
        control_of(stand, lambda control, axis=axis, value=value: control.engaged and control.axes[axis] == value)
        page.keyboard.up(key)
    page.keyboard.down("Shift")
    page.keyboard.down("ArrowUp")
    control_of(stand, lambda control: control.axes[0] == 1.0)
    page.keyboard.up("ArrowUp")
    page.keyboard.up("Shift")
    page.keyboard.press("g")
    control_of(stand, lambda control: control.gripper == "close")
    page.keyboard.up("Space")
    expect(page.locator("#banner")).to_have_text("the robot is in control")
    control_of(stand, lambda control: not control.engaged and control.axes == (0.0, 0.0, 0.0, 0.0))
    assert page.complaints == []


def test_keys_that_a_dialog_swallows_are_let_go(stand, page):
    page.keyboard.down("Space")
    page.keyboard.down("w")
    expect(page.locator("#banner")).to_have_text("YOU are in control")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    control_of(stand, lambda control: not control.engaged)
    page.keyboard.up("w")
    page.keyboard.up("Space")
    page.get_by_role("button", name="back").click()
    for key in ("Space", "w", "Control"):
        page.keyboard.down(key)
    for key in ("w", "Space", "Control"):
        page.keyboard.up(key)
    control_of(stand, lambda control: not control.engaged and control.axes == (0.0, 0.0, 0.0, 0.0))


def test_space_can_be_a_switch(stand, page):
    page.locator("#toggle").check()
    page.keyboard.press("Space")
    expect(page.locator("#banner")).to_have_text("YOU are in control")
    page.keyboard.press("Space")
    expect(page.locator("#banner")).to_have_text("the robot is in control")


def test_sticks_and_the_round_button(stand, page):
    box = page.locator("#hold").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    expect(page.locator("#banner")).to_have_text("YOU are in control")
    page.mouse.up()
    expect(page.locator("#banner")).to_have_text("the robot is in control")
    for name, holds in [
        ("#stick-move", lambda control: control.axes[0] > 0.3 and control.axes[1] < -0.3),
        ("#stick-lift", lambda control: control.axes[2] > 0.3 and control.axes[3] < -0.3),
    ]:
        box = page.locator(name).bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 110, box["y"] + 10)
        control_of(stand, holds)
        page.mouse.up()
        control_of(stand, lambda control: control.axes == (0.0, 0.0, 0.0, 0.0))


def test_a_gamepad(stand, page):
    page.evaluate("pad.axes = [0.1, -1, 0, 0.5]; pad.buttons[5].pressed = true; pad.buttons[0].pressed = true")
    control_of(stand, lambda control: control.engaged and control.axes == (0.5, 0.0, -0.25, 0.0))
    control_of(stand, lambda control: control.gripper == "close")
    page.evaluate("pad.buttons[5].pressed = false")
    control_of(stand, lambda control: not control.engaged)
    page.locator("#toggle").check()
    for is_held in (True, False):
        page.evaluate("pad.buttons[5].pressed = true")
        control_of(stand, lambda control, is_held=is_held: control.engaged == is_held)
        page.evaluate("pad.buttons[5].pressed = false")
        page.wait_for_timeout(200)
        control_of(stand, lambda control, is_held=is_held: control.engaged == is_held)


def test_what_the_page_shows(stand, page):
    expect(page.locator("#task")).to_have_text("Point")
    expect(page.locator("#phase")).to_have_text("watch, and take over when it goes wrong")
    expect(page.locator("#round")).to_have_text("round 1")
    expect(page.locator("#episode")).to_have_text("1 of 1")
    expect(page.locator("#trace-label")).to_have_text("x [m]")
    expect(page.locator("#health")).to_contain_text("page to robot and back")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.get_by_role("button", name="back").click()
    page.get_by_role("button", name="pause").click()
    expect(page.locator("#banner")).to_have_text("paused")
    steps = len(stand.points.log)
    page.wait_for_timeout(300)
    assert len(stand.points.log) <= steps + 1
    page.get_by_role("button", name="pause").click()
    expect(page.locator("#banner")).to_have_text("the robot is in control")
    page.wait_for_timeout(200)
    assert len(stand.points.log) > steps + 2
    page.keyboard.press("1")
    expect(page.locator("[data-press=success]")).to_have_class("is-on")
    stand.panel.show(phase="learning", learning={"done": 0.25, "time_left": "90 s"})
    expect(page.locator("#phase")).to_have_text("learning from you: 90 s left")


def test_buttons_end_an_episode_and_the_run(stand, page):
    page.keyboard.press("Backspace")
    deadline = time.monotonic() + 30.0  # a browser that draws in software, beside other tests
    while not list(stand.folder.rglob("*.hdf5")):
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    (discarded,) = read_episodes(next(stand.folder.rglob("*.hdf5")))
    assert discarded.info.discarded and len(discarded) < 400
    expect(page.locator("#banner")).to_have_text("the robot is in control")  # the next one has begun
    page.get_by_role("button", name="finish and export").click()
    assert stand.end() == []
    assert stand.panel.ending == "finish"


@pytest.mark.realtime
def test_closing_the_browser_lets_the_robot_go(stand, page):
    page.keyboard.down("Space")
    page.keyboard.down("s")
    expect(page.locator("#banner")).to_have_text("YOU are in control")
    time.sleep(0.3)
    gone = time.monotonic()
    page.close()
    time.sleep(0.6)
    watch = stand.person.watch[0]
    assert watch.is_lost and not watch.in_control
    in_hands = [start for start, actions in stand.points.log if float(actions[0, 0]) < 0.5]
    # Closing itself takes the browser a while.
    assert in_hands[-1] - gone < 0.5


def test_a_hidden_window_lets_go(stand, page):
    page.keyboard.down("Space")
    expect(page.locator("#banner")).to_have_text("YOU are in control")
    page.evaluate("window.dispatchEvent(new Event('blur'))")  # as of a click into the view: the page is still in focus
    page.wait_for_timeout(200)
    expect(page.locator("#banner")).to_have_text("YOU are in control")
    page.evaluate("document.hasFocus = () => false; window.dispatchEvent(new Event('blur'))")
    expect(page.locator("#banner")).to_have_text("the robot is in control")


def test_a_second_person_looks_on(stand, page, browser):
    other = open_page(browser, stand.server.url, "Bob")
    expect(other.locator("#banner")).to_have_text("Robot 1 is supervised by Ada.")
    expect(other.locator("[data-press=finish]")).to_be_disabled()
    expect(other.locator("#seats")).to_contain_text("robot 1: Ada")
    other.context.close()


def test_a_name_is_no_part_of_the_page(stand, page, browser):
    page.locator("#task").wait_for()
    other = open_page(browser, stand.server.url, "Bob")
    name = "<img src=x onerror=alert(1)> [/b]"
    stand.seats._seats[0].person = Hello(name, "a")
    stand.panel.show()
    expect(other.locator("#seats")).to_contain_text(f"robot 1: {name}")
    assert other.locator("#seats img").count() == 0
    other.context.close()


def test_another_tab_of_the_same_person_has_to_ask(stand, page):
    other = page.context.new_page()
    other.goto(stand.server.url)
    other.locator("#person").fill("Ada")
    other.keyboard.press("Enter")
    expect(other.locator("#banner")).to_have_text("You hold robot 1 in another tab.")
    other.get_by_role("button", name="steer robot 1 here").click()
    expect(other.locator("#banner")).to_have_text("the robot is in control")
    expect(page.locator("#banner")).to_have_text("you are looking on")


def test_a_lost_connection_is_said_and_comes_back(stand, page):
    """The server hangs up on this tab, as a network does."""
    stand.server._run(_hang_up(stand))
    expect(page.locator("#banner")).to_have_text("connection lost, trying again")
    expect(page.locator("#banner")).to_have_text("this episode does not count: wait for the next")
    client = Client(stand.server.url, "Bob")
    assert client.refusals == ["Robot 1 is supervised by Ada."]
    client.close()


@pytest.mark.realtime
def test_a_drawn_cable_is_said_and_the_page_comes_back_when_it_is_plugged_in(stand, browser):
    cable = Cable(stand.server.url)
    page = open_page(browser, cable.url)
    stand.begin(episodes=1)
    expect(page.locator("#banner")).to_have_text("the robot is in control")
    cable.is_drawn.set()
    expect(page.locator("#banner")).to_have_text("connection lost, trying again", timeout=10_000)
    assert stand.person.watch[0].is_lost
    cable.is_drawn.clear()
    expect(page.locator("#banner")).to_have_text("this episode does not count: wait for the next", timeout=10_000)
    assert stand.seats.state(0).is_connected
    page.context.close()
    cable.close()


def test_the_page_says_that_it_is_over(stand, page):
    stand.panel.show(phase="done")
    expect(page.locator("#banner")).to_have_text("done")
    stand.server.close()
    page.wait_for_timeout(1_000)
    expect(page.locator("#banner")).to_have_text("done")


async def _hang_up(stand: Stand) -> None:
    for tab in list(stand.server._tabs):
        tab.socket.transport.abort()


def test_why_a_session_has_ended_stays_on_the_page(stand, page):
    """The server closes at once."""
    problem = "The recording of the last episode could not be written: the disk is full. The session ends."
    stand.panel.fail(problem)
    stand.server.close()
    expect(page.locator("#banner")).to_have_text(problem)
    expect(page.locator("#phase")).to_have_text("connecting")  # it has lost the connection
    expect(page.locator("#banner")).to_have_text(problem)
    assert page.complaints == []
