# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Files that are either complete or not there, and on the disk when the writer says so."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from .errors import UserError

_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
_LEFT_OVER = re.compile(r"^\..+\.(?:(?P<host>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}|[0-9a-f]{32})$")
"""Names of half-written files: with the writer's machine and process; earlier versions had 32 digits."""

CAUSES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than this process may write",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk reports an error",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENOTDIR: "a part of the path is not a folder",
    errno.EISDIR: "it is a folder",
}
"""Reasons why nothing can be written, in words."""

DISK_ERRORS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO))
"""Those of the machine's, whatever the path."""


class WriteError(UserError):
    """A file cannot be written; an earlier one of that name is as it was. The message is one line."""

    path: Path | None = None
    """The file."""

    reason: str = ""
    """The cause alone, in words."""

    @staticmethod
    def of(path: Path, number: int) -> WriteError:
        """Return the error of a path, by its errno."""
        reason = CAUSES.get(number, os.strerror(number))
        error = WriteError(f"{reason}: {path} is not written")
        error.path, error.reason = path, reason
        return error


def atomic_write(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file beside the path, and rename it into place.

    When this returns, the file and its name are on the disk. What a killed writer of the same file has left is removed.

    Args:
        path: Where the file goes; the folder is made.
        write: Writes the file that it is given.

    Raises:
        WriteError: The disk is full, or something else is in the way; then there is no part of the file.
    """
    temporary = path.with_name(f".{path.name}.{_HOST}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    try:
        _make_folder(path.parent)
        clear_left_overs(path.parent, of=path.name)
        write(temporary)
        synchronize(temporary)
        os.replace(temporary, path)
        synchronize(path.parent)
    except Exception as error:
        number = _number_of(error)
        if number is None:
            raise
        raise WriteError.of(path, number) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_stream(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Let ``write`` fill an open file as :func:`atomic_write` does, for writers that hide why they failed.

    ``torch.save`` tells nothing of a full disk; the file that it is given here does.
    """

    def fill(temporary: Path) -> None:
        with temporary.open("wb", buffering=0) as file:
            stream = _NotingStream(file)
            try:
                write(stream)  # type: ignore[arg-type]  # as much of a file as writers use
            except Exception as error:
                if stream.error is not None:
                    raise stream.error from error
                raise
            if stream.error is not None:
                raise stream.error

    atomic_write(path, fill)


def write_buffered(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Let ``write`` fill a buffer, and write that whole: for writers that raise errors of their own on a full disk.

    TorchScript raises RuntimeError, and Pillow an OSError without a number.
    """
    buffer = io.BytesIO()
    write(buffer)
    atomic_write(path, lambda file: file.write_bytes(buffer.getbuffer()))


def write_text(path: Path, text: str) -> None:
    """Write a text file whole; see :func:`atomic_write`."""
    atomic_write(path, lambda file: file.write_text(text, encoding="utf-8"))


def clear_left_overs(folder: Path, of: str | None = None, is_ours: bool = False) -> None:
    """Remove half-written files of writers that were killed.

    Args:
        folder: Where to look; folders in it are searched where no name is given.
        of: Name of the file that they were to become; any when left out.
        is_ours: Whether nothing else can be writing here, so that all of them are left over. Otherwise only those of
            processes of this machine that have ended.
    """
    files = folder.glob(f".{_escaped(of)}.*") if of is not None else folder.rglob(".*")
    for file in files:
        found = _LEFT_OVER.match(file.name)
        if found is None or not file.is_file():
            continue
        is_dead = found["host"] == _HOST and not _is_alive(int(found["process"]))
        if is_ours or is_dead:
            with contextlib.suppress(OSError):
                file.unlink()


def synchronize(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, names included."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        synchronize(place.parent)


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _number_of(error: BaseException) -> int | None:
    """Return the errno of an error or of what caused it; None where it is none of the disk's."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno is not None:
            return cause.errno
        # HDF5 and safetensors tell the number in their messages alone.
        told = re.search(r"(?:errno =|os error) (\d+)", str(cause))
        if told:
            return int(told[1])
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class _NotingStream:
    """A file that keeps the first error of the disk."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        written = 0
        try:
            while written < len(view):
                written += self._file.write(view[written:])
        except OSError as error:
            self.error = self.error or error
            raise
        return written

    def flush(self) -> None:
        self._file.flush()
