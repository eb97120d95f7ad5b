# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""First starts that are interrupted, and two at once."""

import os
import signal
import subprocess

import pytest

from .checkout import Checkout

pytestmark = pytest.mark.timeout(180)


def _wait_for_output(process: subprocess.Popen, text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"the launcher ended without saying {text!r}")


def test_a_killed_first_start_is_repaired_by_the_next(checkout: Checkout):
    process = checkout.start("-i")
    _wait_for_output(process, "2/4")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert ".venv is not complete: making it anew" in checkout.works().stderr
    assert not (checkout.root / ".venv" / ".download-cache").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_first_start_at_once(checkout: Checkout, number: signal.Signals, code: int):
    process = checkout.start("-i")
    _wait_for_output(process, "1/4")
    os.kill(process.pid, number)
    process.communicate(timeout=30)
    assert process.returncode == code
    assert not (checkout.root / ".venv" / ".mereq-ready").exists()


def test_of_two_first_starts_one_sets_up_and_the_other_waits(checkout: Checkout):
    first = checkout.start("-p", "-c", "import small_package; print(1)")
    _wait_for_output(first, "first start")
    second = checkout.run("-p", "-c", "import small_package; print(2)")
    assert "another start is setting up .venv: waiting for it" in second.stderr
    assert "1/4" not in second.stderr
    assert (second.stdout, first.communicate()[0]) == ("2\n", "1\n")
