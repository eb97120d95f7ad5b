# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Tests that share something slow run in one process. Where they do not, all pass, and take twice as long."""

import pytest


@pytest.mark.xdist_group("together")
def test_pytest_xdist_knows_the_groups(request):
    if not hasattr(request.config, "workerinput"):
        pytest.skip("all tests run in one process")
    # How it tells the groups to the process that hands out the tests.
    assert request.node.nodeid.endswith("@together"), f"pytest {pytest.__version__} and pytest-xdist do not fit"
