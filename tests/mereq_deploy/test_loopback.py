# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Simulated arms can be reached from this machine alone, by every protocol that they speak."""

from __future__ import annotations

import ipaddress

import psutil
import pytest

from mereq_deploy.arm import FrankyArm
from mereq_deploy.safety import SafetyLimits
from mereq_deploy.simulated.controller import is_loopback
from mereq_deploy.simulated.process import simulated_robot, strict_robot

pytestmark = [pytest.mark.timeout(400), pytest.mark.realtime]


@pytest.mark.parametrize("kind", ["with contact", "strict"])
def test_every_socket_of_a_simulated_arm_is_on_loopback(kind, home, arm_contract):
    with simulated_robot(home) if kind == "with contact" else strict_robot() as robot:
        arm = FrankyArm(robot.address, arm_contract, SafetyLimits.load())
        arm.snapshot()
        found = psutil.Process(robot.process.pid)
        sockets = [
            socket for process in (found, *found.children(recursive=True)) for socket in process.net_connections("inet")
        ]
        del arm
    assert len(sockets) >= 3  # one listens, one takes commands, one sends states
    assert all(ipaddress.ip_address(socket.laddr.ip).is_loopback for socket in sockets), sockets


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *[("127.0.0.1", True), ("127.9.8.7", True), ("::1", True), ("0.0.0.0", False), ("192.168.1.2", False)],
        *[("127.evil.com", False), ("localhost.evil.com", False), ("", False)],
    ],
)
def test_an_address_is_on_loopback_if_it_is_a_number_of_this_machine(address, expected):
    assert is_loopback(address) == expected
