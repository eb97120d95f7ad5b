# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The log of a motion: a line of JSON for each step, written at once, so that what was written survives a kill."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..errors import UserError
from ..files import MOST_LOG, read_file


class LogError(UserError):
    """A log cannot be read. The message is one line."""


class LogWriter:
    """Appends lines to a file that nothing was in."""

    def __init__(self, file: Path) -> None:
        """Make the file.

        Raises:
            LogError: It cannot be made, or is there already.
        """
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = file.open("x", encoding="utf-8")
        except OSError as error:
            raise LogError(f"log cannot be written: {file} ({error.strerror})") from error
        self.path = file

    def write(self, kind: str, **values: Any) -> None:
        """Append a line; arrays and dataclasses become lists and objects, numbers that are none become strings.

        Raises:
            LogError: The disk is full, or gone.
        """
        self._file.write(json.dumps({"kind": kind, **_plain(values)}, allow_nan=False) + "\n")
        # The system keeps what it was given when this process is killed.
        try:
            self._file.flush()
        except OSError as error:
            raise LogError(f"log cannot be written: {self.path} ({error.strerror})") from error

    def __enter__(self) -> Self:
        """Nothing to do."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; one to which nothing was written goes, so that its name is free."""
        with contextlib.suppress(OSError):  # what could not be written has been told
            self._file.close()
            if self.path.is_file() and not self.path.stat().st_size:
                self.path.unlink()


class LogReader:
    """Reads a log; a last line that was cut off is left out."""

    def __init__(self, file: Path) -> None:
        """Read the file.

        Raises:
            LogError: It is missing, or not a log.
        """
        try:
            lines = read_file(file, MOST_LOG).decode("utf-8").splitlines(keepends=True)
        except OSError as error:
            raise LogError(f"log cannot be read: {file} ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise LogError(f"log is damaged: {file} ({error})") from error
        if lines and not lines[-1].endswith("\n"):
            lines.pop()
        try:
            self._lines = [json.loads(line) for line in lines]
            is_log = all(isinstance(line, dict) and isinstance(line.get("kind"), str) for line in self._lines)
            is_log = is_log and bool(self._lines) and self._lines[0]["kind"] == "start"
        except (ValueError, RecursionError) as error:
            raise LogError(f"log is damaged: {file} ({error})") from error
        if not is_log:
            raise LogError(f"not a log of a motion: {file}")

    @property
    def start(self) -> dict[str, Any]:
        """What was known before the first step."""
        return self._lines[0]

    @property
    def end(self) -> dict[str, Any] | None:
        """How the motion ended; None where the program was killed."""
        return self._lines[-1] if self._lines[-1]["kind"] == "end" else None

    def lines(self) -> Iterator[dict[str, Any]]:
        """Return everything in order."""
        return iter(self._lines)

    def steps(self) -> Iterator[dict[str, Any]]:
        """Return the steps in order."""
        return (line for line in self._lines if line["kind"] == "step")


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)  # JSON has no such numbers
    return str(value) if isinstance(value, Path) else value
