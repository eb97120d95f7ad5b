# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The folder that a run leaves: every file in it is either complete or not there."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml

from ..whole_file import write_whole


class RunFolderError(ValueError):
    """A run folder cannot be made or read. The message is one line."""


@contextlib.contextmanager
def interrupts_put_off() -> Iterator[None]:
    """Lets Ctrl-C wait until a set of files that belong together is written."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread alone
        yield
        return
    pressed: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if pressed:
            signal.raise_signal(signal.SIGINT)


class _ParamsDumper(yaml.SafeDumper):
    """Writes what YAML has no form for (a slice, a class) as text: params are a record for people."""


_ParamsDumper.add_representer(tuple, yaml.SafeDumper.represent_list)
_ParamsDumper.add_multi_representer(object, lambda dumper, value: dumper.represent_str(str(value)))


class RunFolder:
    """``logs/mereq/<task>/<date_time>_<name>/`` and what is in it."""

    def __init__(self, path: Path) -> None:
        """Point to a folder; :meth:`create` and :meth:`open` check it."""
        self.path = path

    @staticmethod
    def create(root: Path, task: str, name: str) -> RunFolder:
        """Make the folder of a new run.

        Raises:
            RunFolderError: The folder cannot be written.
        """
        stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
        path = root / task / f"{stamp}_{name}"
        try:
            path.mkdir(parents=True, exist_ok=False)
        except FileExistsError:
            path = path.with_name(f"{path.name}_{uuid.uuid4().hex[:4]}")
            path.mkdir()
        except OSError as error:
            raise RunFolderError(f"log folder cannot be written: {path} ({error.strerror})") from error
        return RunFolder(path)

    @staticmethod
    def open(path: Path, task: str | None = None) -> RunFolder:
        """Open the folder of an earlier run.

        Args:
            path: The folder.
            task: Task that the run must be of; any when left out.

        Raises:
            RunFolderError: It is no run folder, or of another task.
        """
        folder = RunFolder(path)
        if not folder.summary_file.is_file():
            raise RunFolderError(f"not a run folder (no summary.json): {path}")
        found = folder.read_summary().get("task")
        if task is not None and found != task:
            raise RunFolderError(f"run folder is of task {found}, not {task}: {path}")
        return folder

    @property
    def summary_file(self) -> Path:
        """What the run has come to so far."""
        return self.path / "summary.json"

    @property
    def state_file(self) -> Path:
        """Everything needed to go on from the last completed round."""
        return self.path / "checkpoints" / "state.pt"

    @property
    def policy_file(self) -> Path:
        """The newest aligned policy."""
        return self.path / "checkpoints" / "policy.safetensors"

    @property
    def recordings(self) -> Path:
        """Folder of the episodes that the person watched, a folder a round."""
        return self.path / "recordings"

    def write_params(self, name: str, params: dict[str, Any]) -> None:
        """Write ``params/<name>.yaml``."""
        text = yaml.dump(params, Dumper=_ParamsDumper, sort_keys=False, allow_unicode=True)
        write_whole(self.path / "params" / f"{name}.yaml", lambda file: file.write_text(text, encoding="utf-8"))

    def read_params(self, name: str) -> dict[str, Any]:
        """Read ``params/<name>.yaml``.

        Raises:
            RunFolderError: It is missing or damaged.
        """
        file = self.path / "params" / f"{name}.yaml"
        try:
            return yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise RunFolderError(f"run folder is damaged: {file} ({str(error).splitlines()[0]})") from error

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write ``summary.json``; numbers that are not finite become null."""
        text = json.dumps(_finite(summary), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_whole(self.summary_file, lambda file: file.write_text(text, encoding="utf-8"))

    def read_summary(self) -> dict[str, Any]:
        """Read ``summary.json``.

        Raises:
            RunFolderError: It is damaged.
        """
        try:
            return json.loads(self.summary_file.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise RunFolderError(f"run folder is damaged: {self.summary_file} ({error})") from error

    def _state_file_of(self, rank: int) -> Path:
        return self.state_file if rank == 0 else self.state_file.with_name(f"state_rank{rank}.pt")

    def write_state(self, state: dict[str, Any], rank: int = 0) -> None:
        """Write the state of the run; tensors and plain values only, so that reading it unpickles nothing.

        Args:
            state: The state.
            rank: Whose it is, of several processes that learn as one.
        """
        write_whole(self._state_file_of(rank), lambda file: torch.save(state, file))

    def read_state(self, rank: int = 0) -> dict[str, Any]:
        """Read the state of the run.

        Raises:
            RunFolderError: It is missing or damaged.
        """
        file = self._state_file_of(rank)
        if not file.is_file():
            raise RunFolderError(f"run has no completed round to resume from: {file.parent.parent}")
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load raises whatever its parts raise
            reason = str(error).splitlines()[0]
            raise RunFolderError(f"run state is damaged: {file} ({reason})") from error


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
