# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A controller on loopback that aborts motions as an FR3 does; :func:`.process.strict_robot` starts it.

``franka-sim`` checks communication (lost packets) and what is commanded (the FR3's own limits of torque, velocity,
acceleration, jerk), and ends a motion with a reflex. It runs in an environment of its own, which has nothing of this
package: import nothing from it here. There is no tool and nothing to touch: that is the other controller's part. Its
pose is that of the seventh link, 107 mm before the flange.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
import sys
import tempfile
import threading
from pathlib import Path

MESHES = 'meshdir="assets"'
"""What the packaged model says of its meshes, which are in a folder ``meshes`` beside it."""


class LoopbackSocket(socket.socket):
    """A UDP socket that nobody else can reach: its first datagram would bind it to every interface."""

    address = "127.0.0.1"

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.type == socket.SOCK_DGRAM:
            self.bind((self.address, 0))


def main() -> None:
    """Serve from the command line until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True, help="loopback address to listen on")
    parser.add_argument("--mjcf", type=Path, required=True, help="the FR3 as MuJoCo reads it, franky-sim's fr3.xml")
    args = parser.parse_args()
    if not ipaddress.ip_address(args.address).is_loopback:
        parser.error(f"a simulated arm listens on loopback alone, not on {args.address}")
    threading.Thread(target=_end_after_input, daemon=True).start()
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as model:
        model.write(args.mjcf.read_text().replace(MESHES, f'meshdir="{args.mjcf.parent / "meshes"}"'))
        model.flush()
        os.environ["FR3_MJCF"] = model.name
        LoopbackSocket.address = args.address
        socket.socket = LoopbackSocket  # type: ignore[misc]

        from franka_sim import FrankaSimServer  # pyright: ignore[reportMissingImports]

        FrankaSimServer(
            host=args.address, enable_gripper=False, enforce_comm_constraints=True, enforce_motion_limits=True
        ).start()


def _end_after_input() -> None:
    """End when whoever started this is gone."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
