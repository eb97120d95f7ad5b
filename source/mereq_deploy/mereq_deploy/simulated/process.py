# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A simulated controller in a process of its own, for as long as it is needed."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..arm import ArmError

START_TIMEOUT = 30.0
"""Time that it may take to start [s]."""

FETCH_TIMEOUT = 300.0
"""Time in which the strict controller's packages have to be fetched [s]."""

STRICT_PACKAGES = ("franka-sim==1.1.7", "mujoco==3.2.7", "numpy==1.26.4")
"""It needs another MuJoCo and another numpy than Isaac Lab, and so an environment of its own."""

COMMAND_PORT = 1337
"""Of libfranka's protocol."""


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
def simulated_robot(
    home: Mapping[str, float], record: Path | None = None, bias: Sequence[float] = (0.0, 0.0, 0.0)
) -> Iterator[SimulatedRobot]:
    """Start a controller on a free loopback address, and end it.

    Args:
        home: Where the joints are at the start, by name [rad].
        record: File for what the controller sees of its own arm.
        bias: Force that the arm feels though nothing touches it [N].

    Yields:
        The controller.

    Raises:
        ArmError: It does not start, or is not installed.
    """
    _check_installed("franky_sim", "mujoco")
    address = _free_address()
    joints = [str(home[f"fr3_joint{i}"]) for i in range(1, 8)]
    command = [sys.executable, "-m", "mereq_deploy.simulated.controller", "--address", address, "--home", *joints]
    command += ["--until-eof", "--bias", *map(str, bias)]
    if record is not None:
        command += ["--record", str(record)]
    with _running(command) as process:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT)
        if not ready or process.stdout.readline() != "ready\n":
            raise ArmError(f"the simulated arm does not start within {START_TIMEOUT:g} s")
        yield SimulatedRobot(address, process)


@contextlib.contextmanager
def strict_robot() -> Iterator[SimulatedRobot]:
    """Start a controller that aborts motions as an FR3 does on a free loopback address, and end it.

    The first time its packages are fetched, some 110 MB.

    Yields:
        The controller.

    Raises:
        ArmError: It does not start, or what it needs is not installed.
    """
    _check_installed("franky_sim")
    found = importlib.util.find_spec("franky_sim")
    assert found is not None and found.origin is not None
    address = _free_address()
    script = Path(__file__).with_name("strict_controller.py")
    command = [str(_strict_python()), str(script), "--address", address]
    command += ["--mjcf", str(Path(found.origin).parent / "assets" / "fr3.xml")]
    # Without ours, or its packages would be found among this program's.
    surroundings = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    with tempfile.TemporaryFile("w+") as said, _running(command, surroundings, said) as process:
        end = time.monotonic() + START_TIMEOUT
        while not _listens(address):
            if process.poll() is not None or time.monotonic() > end:
                said.seek(0)
                last = (said.read().strip().splitlines() or ["it said nothing"])[-1]
                raise ArmError(f"the strict simulated arm does not start: {last}")
            time.sleep(0.1)
        yield SimulatedRobot(address, process)


def _strict_python() -> Path:
    """Return the Python of the strict controller's own environment, which is made on first use.

    Raises:
        ArmError: It cannot be made, or there is no place for it.
    """
    key = hashlib.sha256("\n".join((sys.version, *STRICT_PACKAGES)).encode()).hexdigest()[:12]
    cache = _cache()
    ready, python = cache / f"strict_{key}", Path("bin") / "python"
    try:
        if not (ready / python).exists():
            cache.mkdir(parents=True, exist_ok=True)
            # Beside its place and then renamed, so that what is there is whole; a second program may have been quicker.
            with tempfile.TemporaryDirectory(dir=cache) as making:
                _install_strict(Path(making) / "env", python)
                with contextlib.suppress(OSError):
                    (Path(making) / "env").rename(ready)
    except OSError as error:
        raise ArmError(
            f"cannot write to {cache}, where packages of the strict simulated arm are kept: {error.strerror}; set"
            " XDG_CACHE_HOME to a folder that can be written"
        ) from error
    return ready / python


def _cache() -> Path:
    """Return the folder of what is fetched.

    Raises:
        ArmError: This account has no home, and no folder is named for caches.
    """
    chosen, home = os.environ.get("XDG_CACHE_HOME"), os.path.expanduser("~")
    if not chosen and home.startswith("~"):
        raise ArmError(
            "this account has no home, where packages of the strict simulated arm are kept: set XDG_CACHE_HOME"
        )
    return Path(chosen or Path(home) / ".cache") / "mereq_deploy"


def _install_strict(place: Path, python: Path) -> None:
    """Make the environment of the strict controller in a folder.

    Raises:
        ArmError: It cannot be made.
    """
    for command in (
        [sys.executable, "-m", "venv", str(place)],
        [str(place / python), "-m", "pip", "install", "--quiet", *STRICT_PACKAGES],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_TIMEOUT, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ArmError(f"the strict simulated arm cannot be installed: {last}")


@contextlib.contextmanager
def _running(
    command: list[str], surroundings: Mapping[str, str] | None = None, said: IO[str] | None = None
) -> Iterator[subprocess.Popen]:
    """A process, and its own ones, until the end of the block; standard input stays open as long."""
    # Ctrl-C is for the policy's process: it needs the arm to stop it.
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if said is None else said,
        stderr=said,
        text=True,
        start_new_session=True,
        env=surroundings,
    )
    try:
        yield process
    finally:
        # It has nothing to save, and may be frozen.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _check_installed(*names: str) -> None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ArmError(f"a simulated arm needs {' and '.join(missing)}: pip install 'mereq-deploy[simulated]'")


def _free_address() -> str:
    return f"127.0.{random.SystemRandom().randint(1, 254)}.{random.SystemRandom().randint(1, 254)}"


def _listens(address: str) -> bool:
    try:
        socket.create_connection((address, COMMAND_PORT), timeout=1.0).close()
    except OSError:
        return False
    return True
