# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The report of a run, opened in a real browser."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from playwright.sync_api import Page

from .conftest import run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_the_report_opens_anywhere(run_folder, browser, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((run_folder / "report.html").as_uri())
    page.wait_for_load_state("load")

    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert sum(url.startswith("file:") for url in requests) == 1, "one file, and nothing beside it"
    check_video(page)
    check_plots(page)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, "the page scrolls sideways"
    check_contrast(page)
    check_tables(page, width)
    page.close()


def check_tables(page: Page, width: int) -> None:
    """All columns of the figures are seen without scrolling, on a phone as well."""
    heads = page.locator("th[scope=col]")
    assert heads.all_inner_texts()[:3] == ["prior", "aligned", "expert"]
    for index in range(3):
        box = heads.nth(index).bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width


def check_video(page: Page) -> None:
    """The video decodes: its size is known, and a later moment can be shown."""
    # One promise, not wait_for_function: that polls with eval, which the page's own policy forbids.
    page.locator("video").evaluate(
        "v => new Promise((resolve, reject) => { v.preload = 'auto'; v.oncanplay = resolve;"
        " v.onerror = () => reject(v.error.message); setTimeout(() => reject('no video in 20 s'), 20000); v.load(); })"
    )
    width, height, duration = page.locator("video").evaluate("v => [v.videoWidth, v.videoHeight, v.duration]")
    assert (width, height) == (1280, 720)
    assert duration == pytest.approx(1.5 + 1.2, abs=0.1)


def check_plots(page: Page) -> None:
    """Every plot is seen, and no text in it is smaller than can be read."""
    plots = page.locator("figure svg")
    assert plots.count() == 2 + 5, "intervention rate, θ and five features"
    for index in range(plots.count()):
        box = plots.nth(index).bounding_box()
        assert box is not None and box["width"] > 250 and box["height"] > 150
    smallest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('figure svg text')].filter(t => t.textContent.trim())"
        ".map(t => t.getBoundingClientRect().height))"
    )
    assert smallest >= 7.0


def check_contrast(page: Page) -> None:
    """Text and paper differ in brightness as much as accessibility asks, in light and in dark."""

    def luminance(property_name: str) -> float:
        text = page.evaluate(f"getComputedStyle(document.body).{property_name}")
        channels = [int(part) / 255 for part in text[text.index("(") + 1 : -1].split(",")[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance("color"), luminance("backgroundColor")), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 7.0


def test_the_report_says_what_was_asked_and_what_came_of_it(run_folder):
    page = (run_folder / "report.html").read_text()
    summary = json.loads((run_folder / "summary.json").read_text())
    success = summary["evaluation"]["aligned"]["success_rate"]
    told = ["Touch every mark on the board", "press hard enough", "train_mereq.py", "agent.max_rounds=2", "mujoco-warp"]
    told += [
        f"<b>{summary['expert_samples'][-1]}</b>",
        f"{100 * success['mean']:.1f} ± {100 * success['stderr']:.1f} %",
    ]
    for text in told:
        assert text in page, text


def test_the_film_of_a_run_has_three_panes_that_differ(run_folder):
    """Panes are found by the paper between them; prior, aligned and expert go their own ways."""
    reader = imageio_ffmpeg.read_frames(str(run_folder / "video" / "comparison.mp4"))
    width, height = next(reader)["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3).astype(int) for frame in reader]
    moving = frames[: round(1.5 * 30)]
    rows = np.s_[150:500]
    is_paper = (moving[0][rows] > 240).all(axis=(0, 2)) & (np.ptp(moving[0][rows], axis=0) < 8).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate(([True], is_paper, [True])).astype(int)))
    panes = [np.s_[rows, left + 6 : right - 6] for left, right in edges.reshape(-1, 2)]
    assert len(panes) == 3
    starts = [moving[0][pane] for pane in panes]
    assert all(np.abs(start - starts[0]).mean() < 1.0 for start in starts), "all begin alike"
    for first, second in itertools.combinations(panes, 2):
        apart = [np.abs(frame[first] - frame[second]).mean() for frame in moving]
        assert max(apart) > 1.2 * apart[0], "they part, even after a few steps of learning"
    for pane in panes:
        changes = [np.abs(one[pane] - two[pane]).max() for one, two in itertools.pairwise(moving)]
        assert min(changes) > 8, "the arm moves in every frame"


def test_the_report_can_be_made_again_and_survives_a_broken_encoder(run_folder, tmp_path):
    folder = tmp_path / run_folder.name
    shutil.copytree(run_folder, folder)
    (folder / "report.html").unlink()
    shutil.rmtree(folder / "video")
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho 'no such encoder' >&2\nexit 1\n")
    broken.chmod(0o755)
    result = run_script("report.py", str(folder), "--video", task=None, IMAGEIO_FFMPEG_EXE=str(broken))
    assert result.returncode == 2
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    assert "ffmpeg failed: no such encoder" in line and "Traceback" not in result.stderr
    page = (folder / "report.html").read_text()
    assert "<video" not in page and "<svg" in page
    assert not (folder / "video").exists() or not list((folder / "video").iterdir())


def test_what_is_no_run_folder_is_refused(tmp_path: Path):
    result = run_script("report.py", str(tmp_path), task=None)
    assert result.returncode == 2 and "not a run folder" in result.stderr and "Traceback" not in result.stderr
