# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What can go wrong in a first start."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .checkout import Checkout, make_checkout

pytestmark = pytest.mark.timeout(180)


def test_too_little_disk_is_named_with_what_is_free(checkout: Checkout):
    error = checkout.fails("-i", env={**checkout.env, "MEREQ_MIN_DISK_GB": "1000000"})
    free = float(re.search(r"([\d.]+) GB of disk free", error).group(1))
    assert free == pytest.approx(shutil.disk_usage(checkout.root).free / 2**30, abs=1.0)
    assert "takes 1000000 GB" in error


def test_nothing_follows_the_line_with_which_it_gives_up(checkout: Checkout):
    """Whatever still looks for Pythons by then: here a slow sort, and nobody whom a closed pipe ends."""
    sort = Path(checkout.env["PATH"].split(":")[0]) / "sort"
    sort.write_text('#!/bin/sh\nsleep 0.5\nexec /usr/bin/sort "$@"\n')
    sort.chmod(0o755)
    checkout.fails("-i", env={**checkout.env, "MEREQ_MIN_DISK_GB": "1000000"}, restore_signals=False)


@pytest.fixture
def readable_by_all(tools: Path, wheels: tuple[Path, str]) -> Iterator[Checkout]:
    """A checkout outside of pytest's own folders, which other accounts cannot enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield make_checkout(folder, tools, wheels)
    folder.joinpath("check out").chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_is_named(readable_by_all: Checkout):
    readable_by_all.root.chmod(0o555)
    as_nobody = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
    error = readable_by_all.fails("-i", env={"PATH": "/usr/bin:/bin"}, **as_nobody)
    assert f"cannot write to {readable_by_all.root}" in error


def test_a_wrong_hash_is_refused_and_the_next_start_repairs_what_it_left(checkout: Checkout, wheels: tuple[Path, str]):
    lock = checkout.root / "requirements.lock"
    lock.write_text(re.sub(r"sha256:\w+", "sha256:" + 64 * "0", wheels[1], count=1))
    error = checkout.fails("-i")
    assert f"installing requirements.lock failed (log: {checkout.root}/.venv.log)" in error
    assert "Hash mismatch" in (checkout.root / ".venv.log").read_text()

    lock.write_text(wheels[1])
    assert ".venv is not complete: making it anew" in checkout.works().stderr
