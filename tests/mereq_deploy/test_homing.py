# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

import numpy as np
import pytest

from mereq_deploy.arm.homing import Profile


@pytest.mark.parametrize(
    ("length", "duration"),
    [
        (1.0, 2.9),  # 0.4 s to 0.4 rad/s and back take 0.16 rad; the other 0.84 rad take 2.1 s
        (0.04, 0.4),  # half of it at 1 rad/s² takes 0.2 s
        (0.0, 0.0),
    ],
)
def test_a_way_is_gone_at_limited_speed_and_acceleration(length, duration):
    profile = Profile(length, speed=0.4, acceleration=1.0)
    assert profile.duration == pytest.approx(duration)
    place = np.array([profile.at(elapsed) for elapsed in np.arange(0.0, duration + 0.1, 0.001)])
    speed, change = np.diff(place) / 0.001, np.diff(place, 2) / 0.001**2
    assert place[0] == 0.0 and place[-1] == pytest.approx(length)
    assert (speed >= -1e-9).all() and speed.max() <= 0.4 + 1e-9
    assert np.abs(change).max() <= 1.0 + 1e-3
