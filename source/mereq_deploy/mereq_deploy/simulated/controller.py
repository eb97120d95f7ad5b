# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A controller that speaks libfranka's protocol, with an FR3 and a task's scene in MuJoCo behind it.

``franky-sim`` does all of it but two things: here the tool and what it touches are real bodies, and the external force
that the arm reports is that of MuJoCo's contacts. It listens on a loopback address alone.

    python -m mereq_deploy.simulated.controller --address 127.0.0.3 --home 0 0.272 0 -2.399 0 2.671 0.785
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import ipaddress
import os
import socket
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

import mujoco as _mujoco
import numpy as np
from franky_sim import SimulationServer
from franky_sim.franka_robot_protocol import MoveStatus, RobotCommand
from franky_sim.franka_server import BaseCommand
from franky_sim.mujoco_simulator import FrankaMujocoRobot, MujocoSimulator

mujoco = cast(Any, _mujoco)  # its stubs leave functions out

HAND = "robot0_hand"
"""Body that carries the tool, as the simulator names it."""

TOOL = "tool"
"""Name of the tool's geometry."""

REFLEX_TIME = 0.05
"""Time without a command after which the arm aborts a motion by itself [s]. An FR3 does after 20 lost packets, 20 ms; a
machine without a realtime kernel is now and then as late."""

HOLD_STIFFNESS = (4500.0, 4500.0, 3500.0, 3500.0, 500.0, 500.0, 200.0)
HOLD_DAMPING = (450.0, 450.0, 350.0, 350.0, 50.0, 50.0, 20.0)
"""Of the arm's own controller, which holds it between motions [N m/rad, N m s/rad]. As ``franky-sim`` has them, but for
the last three joints: with its 200 N m s/rad they chatter at 0.08 rad/s when they are caught in motion."""


class TouchingRobot(FrankaMujocoRobot):
    """An FR3 that feels what its tool touches, and stops by itself when its client sends nothing any more."""

    bias = np.zeros(3)
    """What the arm feels though nothing touches it: the error of its sensors [N]."""

    _commanded_at = float("inf")
    _server_of_robot: Any = None

    def _set_server(self, server: Any) -> None:
        super()._set_server(server)
        self._server_of_robot = server

    def torque_control(self, torques: Any, has_new_command: bool = True) -> None:
        """Apply torques; see the parent. Without a new one for :obj:`REFLEX_TIME` the motion is aborted."""
        now = time.monotonic()
        if has_new_command:
            self._commanded_at = now
        elif now - self._commanded_at > REFLEX_TIME:
            self._abort()
            torques = np.zeros(7)
        super().torque_control(torques, has_new_command)

    def _abort(self) -> None:
        """End the motion as the reflex of an arm does: it is held, and the client is told."""
        server = self._server_of_robot
        motion = server.current_motion_id
        server.stop_motion(send_preemption_signal=False)
        if motion and server._tcp_socket is not None:
            BaseCommand.send_response(server._tcp_socket, RobotCommand.kMove, motion, MoveStatus.kReflexAborted)
        server.reset_current_motion_id()

    @property
    def state(self) -> Any:
        """The state as the arm reports it; forces that the robot exerts are positive. Source: libfranka."""
        state = super().state
        if self.data is None:
            return state
        force, torques = self.contact()
        wrench = (*(-force - self.bias).tolist(), 0.0, 0.0, 0.0)
        return dataclasses.replace(state, O_F_ext_hat_K=wrench, tau_ext_hat_filtered=tuple((-torques).tolist()))

    def contact(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the force of the surroundings on the tool [N] and its torque on each joint [N m]."""
        model, data = cast(Any, self.model), cast(Any, self.data)
        force, torques = np.zeros(3), np.zeros(model.nv)
        tool = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, TOOL)
        jacobian, wrench = np.zeros((3, model.nv)), np.zeros(6)
        for index in range(data.ncon):
            contact = data.contact[index]
            if tool not in contact.geom:
                continue
            mujoco.mj_contactForce(model, data, index, wrench)
            # MuJoCo gives the force on the second geometry, along the rows of the contact's frame.
            sign = 1.0 if contact.geom[1] == tool else -1.0
            on_tool = sign * contact.frame.reshape(3, 3).T @ wrench[:3]
            mujoco.mj_jac(model, data, jacobian, None, contact.pos, int(model.geom_bodyid[tool]))
            force += on_tool
            torques += jacobian.T @ on_tool
        return force, torques[self._dof_addrs]


class TouchingSimulator(MujocoSimulator):
    """A scene with one such robot, a tool in its hand and a board on the table."""

    def add_robot(self, *args: Any, **kwargs: Any) -> FrankaMujocoRobot:
        """Add the robot; see the parent."""
        super().add_robot(*args, **kwargs)
        kwargs.pop("position", None)
        self._robots[-1] = TouchingRobot(*args, **kwargs)
        return self._robots[-1]

    def hold(self, size: Sequence[float], centre_z: float, mass: float, friction: float) -> None:
        """Fix a box in the hand, which touches boards alone: fingers that hold it do not fight it.

        Args:
            size: Its edges [m].
            centre_z: Its centre on the hand's z axis [m].
            mass: Its mass [kg].
            friction: Its coefficient of friction.
        """
        (hand,) = (body for body in self.worldbody.iter("body") if body.get("name") == HAND)
        tool = ET.SubElement(hand, "body", name=TOOL, pos=f"0 0 {centre_z}")
        # As in the simulated task: felt that gives.
        touch = {"contype": "2", "conaffinity": "2", "priority": "1", "solref": "0.05 1", "friction": f"{friction} 0 0"}
        half = " ".join(str(edge / 2) for edge in size)
        ET.SubElement(tool, "geom", {"name": TOOL, "type": "box", "size": half, "mass": f"{mass}", **touch})

    def put_board(self, centre: Sequence[float], size: Sequence[float]) -> None:
        """Put a box into the scene. Both in metres, along the axes of the base."""
        half = " ".join(str(edge / 2) for edge in size)
        place = " ".join(map(str, centre))
        touch = {"contype": "3", "conaffinity": "3"}
        ET.SubElement(self.worldbody, "geom", {"name": "board", "type": "box", "size": half, "pos": place, **touch})


class Witness:
    """Writes down what the arm does, for those who want to know it from somebody else than its client."""

    PERIOD = 0.005

    def __init__(self, robot: TouchingRobot, file: TextIO) -> None:
        """Hold robot and file."""
        self._robot, self._file = robot, file

    def run(self) -> None:
        """Append lines until the process ends: time [s, monotonic], force [N], joints [rad], their speeds [rad/s]."""
        while True:
            data = cast(Any, self._robot.data)
            if data is not None:
                force = float(np.linalg.norm(self._robot.contact()[0]))
                joints = (*data.qpos[self._robot._qpos_addrs], *data.qvel[self._robot._dof_addrs])
                self._file.write(
                    ",".join([f"{time.monotonic():.4f}", f"{force:.3f}", *(f"{x:.5f}" for x in joints)]) + "\n"
                )
                self._file.flush()
            time.sleep(self.PERIOD)


def is_loopback(address: str) -> bool:
    """Return whether this is a numeric address of this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class LoopbackSocket(socket.socket):
    """A socket that binds to loopback where it was going to listen to everybody."""

    address = "127.0.0.1"

    def bind(self, address: Any) -> None:
        """As in the parent; ``franky-sim`` binds its UDP socket to every interface."""
        host, *rest = address
        super().bind((self.address if host in ("", "0.0.0.0") else host, *rest))


def serve(
    address: str, home: Sequence[float], record: Path | None = None, bias: Sequence[float] = (0.0, 0.0, 0.0)
) -> None:
    """Run the controller until the process ends.

    Args:
        address: Loopback address to listen on.
        home: Joint positions at the start [rad].
        record: File for what the arm does, as :class:`Witness` writes it.
        bias: Force that the arm feels though nothing touches it [N].

    Raises:
        ValueError: The address is not on loopback.
    """
    if not is_loopback(address):
        raise ValueError(f"a simulated arm listens on loopback alone, not on {address}")
    addresses: Iterable[str] = [address]
    LoopbackSocket.address = address
    socket.socket = LoopbackSocket  # type: ignore[misc]  # in this process, which does nothing else
    with TouchingSimulator() as simulator:
        robot = cast(TouchingRobot, simulator.add_robot(initial_q=home, kp=HOLD_STIFFNESS, kv=HOLD_DAMPING))
        robot.bias = np.asarray(bias, dtype=float)
        # Sizes, mass and friction of the simulated task.
        simulator.hold(size=(0.05, 0.11, 0.025), centre_z=0.1209, mass=0.06, friction=0.3)
        simulator.put_board(centre=(0.5, 0.0, 0.01), size=(0.45, 0.65, 0.02))
        with SimulationServer(simulator, hostname_candidates=addresses) as server:  # type: ignore[arg-type]
            if record is not None:
                witness = Witness(robot, record.open("w", encoding="utf-8"))
                threading.Thread(target=witness.run, daemon=True).start()
            print("ready", flush=True)
            server.run_forever()


def _end_after_input() -> None:
    """End with the program that started this one, but not before its guard had time to stop the arm."""
    sys.stdin.read()
    time.sleep(2.0)
    os._exit(0)


def main() -> None:
    """Serve from the command line."""
    parser = argparse.ArgumentParser(description="A simulated Franka Research 3 that holds an eraser over a board.")
    parser.add_argument("--address", default="127.0.0.3", help="loopback address (default: 127.0.0.3)")
    parser.add_argument("--home", type=float, nargs=7, required=True, help="joint positions at the start [rad]")
    parser.add_argument("--record", type=Path, help="file for time, force, joints and their speeds, 200 times a second")
    parser.add_argument("--bias", type=float, nargs=3, default=(0.0, 0.0, 0.0), help="error of the force sensed [N]")
    parser.add_argument("--until-eof", action="store_true", help="end soon after standard input does")
    args = parser.parse_args()
    with contextlib.suppress(OSError):  # an arm's own controller has a processor to itself
        os.nice(-10)
    if args.until_eof:
        threading.Thread(target=_end_after_input, daemon=True).start()
    serve(args.address, args.home, args.record, args.bias)


if __name__ == "__main__":
    main()
