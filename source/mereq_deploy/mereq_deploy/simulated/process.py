# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A simulated controller in a process of its own, for as long as it is needed."""

from __future__ import annotations

import contextlib
import importlib.util
import random
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..arm import ArmError

START_TIMEOUT = 30.0
"""Time that it may take to start [s]."""


@dataclass(frozen=True)
class SimulatedRobot:
    """A controller that runs."""

    address: str
    process: subprocess.Popen

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def freeze(self) -> None:
        """Let it do nothing any more."""
        self.process.send_signal(signal.SIGSTOP)


@contextlib.contextmanager
def simulated_robot(home: Mapping[str, float], record: Path | None = None) -> Iterator[SimulatedRobot]:
    """Start a controller on a free loopback address, and end it.

    Args:
        home: Where the joints are at the start, by name [rad].
        record: File for what the controller sees of its own arm.

    Yields:
        The controller.

    Raises:
        ArmError: It does not start, or is not installed.
    """
    missing = [name for name in ("franky_sim", "mujoco") if importlib.util.find_spec(name) is None]
    if missing:
        raise ArmError(f"a simulated arm needs {' and '.join(missing)}: pip install 'mereq-deploy[simulated]'")
    address = f"127.0.{random.SystemRandom().randint(1, 254)}.{random.SystemRandom().randint(1, 254)}"
    joints = [str(home[f"fr3_joint{i}"]) for i in range(1, 8)]
    command = [sys.executable, "-m", "mereq_deploy.simulated.controller", "--address", address, "--home", *joints]
    command.append("--until-eof")
    if record is not None:
        command += ["--record", str(record)]
    # Ctrl-C is for the policy's process: it needs the arm to stop it.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    try:
        ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT)
        if not ready or process.stdout.readline() != "ready\n":
            raise ArmError(f"the simulated arm does not start within {START_TIMEOUT:g} s")
        yield SimulatedRobot(address, process)
    finally:
        # It has nothing to save, and may be frozen.
        process.kill()
        process.wait()
