# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The reference is made from the code; the site is built without a broken link."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import subprocess
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from mereq_algo.runner import MEReQCfg
from mereq_lab.reference import commands_page, docstrings, settings_page

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclasses.dataclass
class Inner:
    """How the inner part works. Not shown: a second sentence.

    Nor is this.
    """

    rate: float = 0.5
    """Step size. Range: > 0. Source: :class:`~a.module.Thing`."""


@dataclasses.dataclass
class Outer:
    """All settings."""

    name: str = "a|b"
    """What ``x`` is called | or not."""

    inner: Inner = dataclasses.field(default_factory=lambda: Inner(0.25))
    """The inner part."""


def test_a_setting_is_listed_with_the_default_that_is_used_and_its_docstring(tmp_path):
    task = tmp_path / "task.yaml"
    task.write_text("inner:\n  rate: 0.125\n")
    page = settings_page(Outer(), "agent", {"Task": task})
    assert "| `name` | `a|b` | What `x` is called \\| or not. |" in page
    assert "## agent.inner" in page and "How the inner part works." in page and "Nor is this" not in page
    assert "| `rate` | `0.25` | Step size. Range: > 0. Source: `Thing`. |" in page
    assert "| `agent.inner.rate` | `0.125` |" in page


def settings(cfg: object, name: str = "agent") -> list[tuple[str, str]]:
    found = []
    for field in dataclasses.fields(cfg):  # type: ignore[arg-type]
        value = getattr(cfg, field.name)
        found.append((f"{name}.{field.name}", docstrings(type(cfg)).get(field.name, "")))
        if dataclasses.is_dataclass(value):
            found += settings(value, f"{name}.{field.name}")
    return found


@pytest.mark.parametrize(("name", "text"), settings(MEReQCfg()))
def test_every_setting_says_what_it_is(name, text):
    assert text.endswith(".") or text.endswith(")"), f"{name} has no docstring"


def test_every_script_is_listed_with_its_options():
    page = commands_page(REPOSITORY / "scripts")
    scripts = [file.name for file in (REPOSITORY / "scripts").glob("*.py")]
    assert len(scripts) >= 10 and all(f"## {name}\n" in page for name in scripts)
    assert "usage: scripts/recordings.py export" in page and "--from-recordings" in page


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built with broken links as errors."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=200, check=False)
    assert result.returncode == 0, result.stderr
    return folder


def test_the_site_has_the_pages_that_are_made_from_the_code(site):
    assert "agent.inner" in (site / "reference" / "settings.html").read_text()
    assert "--from-recordings" in (site / "reference" / "commands.html").read_text()
    links = re.findall(r'(?:src|href)="(https?://[^"]+)"', (site / "index.html").read_text())
    assert all("squidfunk.github.io" in link for link in links), "the pages load nothing from elsewhere"


def test_the_search_works_without_a_network(site, browser):
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        found = page.locator(".md-search-result__item a[href*='settings']")
        deadline = time.monotonic() + 60.0
        while found.count() == 0:  # what is typed before the page listens is lost
            assert time.monotonic() < deadline
            page.click(".md-search__input")
            page.fill(".md-search__input", "")
            page.keyboard.type("intervention_threshold")
            with contextlib.suppress(PlaywrightTimeout):
                found.first.wait_for(timeout=10_000)
        page.close()
        server.shutdown()
