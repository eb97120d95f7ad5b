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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from ..atomic_write import atomic_write, write_stream, write_text
from ..errors import UserError
from ..networks.finite import check_finite
from ..plain_values import is_nested_deeply
from .run_lock import LOCK, locked


class RunFolderError(UserError):
    """A run folder cannot be made or read. The message is one line."""


@contextlib.contextmanager
def of_a_run(file: Path) -> Iterator[None]:
    """Turns what breaks where a file holds something else than a run writes into one line that names the file.

    Raises:
        RunFolderError: The file is of another shape. An error that is one line already is passed on.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if type(error) not in (ValueError, UnicodeDecodeError, UnicodeEncodeError) and isinstance(error, ValueError):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunFolderError(f"run folder is damaged: {file} (it is not what a run writes; {reason[:200]})") from error


@contextlib.contextmanager
def interrupts_put_off() -> Iterator[None]:
    """Lets Ctrl-C and a request to end (SIGTERM) wait until a set of files that belong together is written."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread alone
        yield
        return
    arrived: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, frame: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            # None: a handler that Python has not set, and cannot set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in dict.fromkeys(arrived):
            signal.raise_signal(number)


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
            if (path / LOCK).is_file() or (path / "params").is_dir():
                raise RunFolderError(
                    f"run ended before it had written how it was started: there is nothing to go on from, start it anew"
                    f" and delete {path}"
                )
            raise RunFolderError(f"not a run folder (no summary.json): {path}")
        found = folder.read_summary().get("task")
        if not isinstance(found, str):
            raise RunFolderError(f"run folder is damaged: {folder.summary_file} (it names no task)")
        if task is not None and found != task:
            raise RunFolderError(f"run folder is of task {found}, not {task}: {path}")
        return folder

    @staticmethod
    def of_file(file: Path) -> RunFolder | None:
        """Return the run that learned a policy, if its file lies where runs keep theirs."""
        folder = RunFolder(file.absolute().parent.parent)
        is_there = file.absolute().parent == folder.policy_file.parent
        return folder if is_there and folder.summary_file.is_file() else None

    @staticmethod
    def that_used(file: Path) -> RunFolder | None:
        """Return the run that used a policy as its prior or expert, if the file is the copy that it keeps.

        The run's settings need not be those that the policy was trained with.
        """
        folder = RunFolder(file.absolute().parent.parent)
        is_there = file.absolute().parent == folder.prior_file.parent
        return folder if is_there and folder.summary_file.is_file() else None

    def lock(self, command: str) -> contextlib.AbstractContextManager[int]:
        """Keep other processes from writing to the folder; see :func:`~mereq_algo.records.run_lock.locked`."""
        return locked(self.path, command)

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
    def prior_file(self) -> Path:
        """A copy of the policy that the run aligns."""
        return self.path / "policies" / "prior.safetensors"

    @property
    def expert_file(self) -> Path:
        """A copy of the expert that the run is watched by or compared with; there need not be one."""
        return self.path / "policies" / "expert.safetensors"

    def keep_policy(self, name: str, content: bytes) -> None:
        """Keep the file of the ``prior`` or ``expert`` that the run uses: it may change or go."""
        atomic_write(self._policy_of(name), lambda copy: copy.write_bytes(content))

    def kept_policy(self, name: str) -> Path | None:
        """Return the file of the ``prior`` or ``expert`` that the run used; None where it kept none."""
        file = self._policy_of(name)
        return file if file.is_file() else None

    def _policy_of(self, name: str) -> Path:
        return {"prior": self.prior_file, "expert": self.expert_file}[name]

    @property
    def recordings(self) -> Path:
        """Folder of the episodes that the person watched, a folder a round."""
        return self.path / "recordings"

    def write_params(self, name: str, params: dict[str, Any]) -> None:
        """Write ``params/<name>.yaml``."""
        text = yaml.dump(params, Dumper=_ParamsDumper, sort_keys=False, allow_unicode=True)
        write_text(self.path / "params" / f"{name}.yaml", text)

    def read_params(self, name: str, *needed: str) -> dict[str, Any]:
        """Read ``params/<name>.yaml``.

        Args:
            name: Of the file.
            needed: Entries that have to be there.

        Raises:
            RunFolderError: It is missing or damaged.
        """
        file = self.path / "params" / f"{name}.yaml"
        return _with_entries(_table_of(file, yaml.safe_load, "settings"), needed, file)

    def read_settings(self) -> list[str]:
        """Read what was changed of the task's and the learner's settings when the run was started.

        Raises:
            RunFolderError: The run does not tell.
        """
        settings = self.read_params("arguments").get("settings")
        if not isinstance(settings, list) or not all(isinstance(setting, str) for setting in settings):
            raise RunFolderError(
                f"run folder is damaged: {self.path / 'params' / 'arguments.yaml'} (it names no settings)"
            )
        return settings

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write ``summary.json``; numbers that are not finite become null."""
        text = json.dumps(_finite(summary), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        # A path that is no UTF-8, in the command say, leaves halves of characters, which JSON can hold.
        write_text(self.summary_file, text.encode("utf-8", "backslashreplace").decode("utf-8"))

    def read_summary(self, *needed: str) -> dict[str, Any]:
        """Read ``summary.json``.

        Args:
            needed: Entries that have to be there.

        Raises:
            RunFolderError: It is damaged.
        """
        return _with_entries(read_summary(self.summary_file), needed, self.summary_file)

    def state_file_of(self, rank: int) -> Path:
        """Return the file of the state of one of several processes that learn as one."""
        return self.state_file if rank == 0 else self.state_file.with_name(f"state_rank{rank}.pt")

    @property
    def has_state(self) -> bool:
        """Whether a round was completed, so that there is a state to go on from."""
        return self.state_file.is_file()

    def write_state(self, state: dict[str, Any], rank: int = 0) -> None:
        """Write the state of the run; tensors and plain values only, so that reading it unpickles nothing.

        Args:
            state: The state.
            rank: Whose it is, of several processes that learn as one.

        Raises:
            NotFiniteError: Training diverged; the state of the round before is as it was.
            WriteError: The disk is full, say; likewise.
        """
        file = self.state_file_of(rank)
        # The record is for reports, where a figure that nothing was measured for is NaN.
        check_finite({name: part for name, part in state.items() if name != "record"}, file)
        write_stream(file, lambda stream: torch.save(state, stream))

    def read_state(self, rank: int = 0) -> dict[str, Any]:
        """Read the state of the run.

        Raises:
            RunFolderError: It is missing or damaged.
        """
        file = self.state_file_of(rank)
        if not file.is_file():
            raise RunFolderError(f"run has no completed round to resume from: {file.parent.parent}")
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load raises whatever its parts raise
            raise _damaged(file, error, "run state") from error
        if not isinstance(state, dict) or "learner" not in state or is_nested_deeply(state):
            raise RunFolderError(f"run state is damaged: {file} (it holds no state of a run)")
        return state


def read_summary(file: Path) -> dict[str, Any]:
    """Read the summary of a run.

    Raises:
        RunFolderError: The file is missing or damaged.
    """
    return _table_of(file, json.loads, "summary")


def _table_of(file: Path, load: Callable[[str], Any], what: str) -> dict[str, Any]:
    """Read a file that holds a table.

    Args:
        file: The file.
        load: Reads its text.
        what: What it holds, for messages.

    Raises:
        RunFolderError: It is missing, damaged, nested too deeply, or holds no table.
    """
    try:
        values = load(_text_of(file))
    except (OSError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise _damaged(file, error) from error  # a YAML file may name the type of a value that is none of it
    except yaml.YAMLError as error:
        raise _damaged(file, error) from error
    if not isinstance(values, dict):
        raise RunFolderError(f"run folder is damaged: {file} (it holds no {what})")
    if is_nested_deeply(values):
        raise RunFolderError(f"run folder is damaged: {file} (nested too deeply)")
    return values


def _text_of(file: Path) -> str:
    """Return what a file says; a pipe, say, would keep its reader waiting for ever.

    Raises:
        OSError: It is missing, no file, or unreadable.
    """
    if file.exists() and not file.is_file():
        raise OSError("it is not a file")
    return file.read_text(encoding="utf-8")


def _with_entries(values: dict[str, Any], needed: Sequence[str], file: Path) -> dict[str, Any]:
    missing = next((name for name in needed if name not in values), None)
    if missing is not None:
        raise RunFolderError(f"run folder is damaged: {file} (no {missing})")
    return values


def _damaged(file: Path, error: BaseException, what: str = "run folder") -> RunFolderError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return RunFolderError(f"{what} is damaged: {file} ({reason[:200]})")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
