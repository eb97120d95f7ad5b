# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Reads recordings for :mod:`.hdf5_reader`, in a process of its own: a damaged file can keep HDF5 busy for ever.

It is run by its path and imports nothing of this package, so that it starts in a fraction of a second. Each line of its
input is JSON: a ``path``, and ``seconds`` that reading it may take. Each answer is 8 bytes of length and an archive of
numpy: an array ``header`` with JSON, and the columns by their number in it.
"""

from __future__ import annotations

import io
import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np

MEMORY = 8 * 2**30
"""Most that this process may take [bytes]: HDF5's own tables may claim any size."""


_SMALL = 2**24
"""A column of up to so many bytes may be all zeros."""

_BEST_COMPRESSION = 1_100
"""More than what gzip makes of zeros."""


def main() -> None:
    """Answer orders until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the reader ends it
    _limit(resource.RLIMIT_AS, MEMORY)
    names = json.loads(sys.stdin.readline())
    for line in sys.stdin:
        order = json.loads(line)
        _limit_time(order["seconds"])
        arrays: list[np.ndarray] = []
        try:
            header = read(order["path"], names, arrays)
            answer = _packed(header, arrays)
        except Exception as error:  # HDF5 raises whatever its parts raise
            arrays.clear()
            is_large = isinstance(error, MemoryError)
            reason = "it needs too much memory" if is_large else (str(error).splitlines() or [""])[0]
            reason = reason or type(error).__name__
            answer = _packed({"error": reason}, [])
        sys.stdout.buffer.write(len(answer).to_bytes(8, "little") + answer)
        sys.stdout.buffer.flush()


def _limit_time(seconds: float) -> None:
    """Ends this process some time after the reader should have ended it: the reader itself may have been killed."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime + 2 * seconds) + 2)


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _packed(header: dict[str, Any], arrays: list[np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(buffer, allow_pickle=False, header=text, **{str(index): array for index, array in enumerate(arrays)})
    return buffer.getvalue()


def read(path: str, names: dict[str, list[str]], arrays: list[np.ndarray]) -> dict[str, Any]:
    """Return what a file says, with its columns in ``arrays``.

    Args:
        path: The file.
        names: ``columns`` that every episode has, and ``groups``: the fields of ``info`` that name more, by group;
            ``most_steps`` of an episode and ``most_bytes`` of a file's columns.
        arrays: Filled with the columns; the header says which is which.
    """
    if Path(path).is_symlink() or Path(path).is_file():
        with h5py.File(path, "r") as file:
            data: Any = file["data"]
            header = {name: _plain(data.attrs.get(name)) for name in ("format", "recording_version")}
            header["demos"] = []
            if header["format"] != names["format"] or header["recording_version"] != names["version"]:
                return header
            for number in range(len(data)):
                header["demos"].append(_demo(data[f"demo_{number}"], names, arrays))
            return header
    raise OSError("it is not a file")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value if isinstance(value, str) else None


def _demo(demo: Any, names: dict[str, Any], arrays: list[np.ndarray]) -> dict[str, Any]:
    text = demo.attrs["info"]
    if not isinstance(text, str):
        raise ValueError("its info is no text")
    info = json.loads(text)
    if not isinstance(info, dict):
        raise ValueError("its info is no table of names and values")
    columns = list(names["columns"])
    for group, field in names["groups"].items():
        more = info.get(field)
        if not isinstance(more, list) or not all(isinstance(name, str) for name in more):
            raise ValueError(f"{field} is no list of names")
        columns += [f"{group}/{name}" for name in more]
    found = {}
    for name in columns:
        if name not in demo:
            raise KeyError(f"{name} is missing")
        column = demo[name]
        if not isinstance(column, h5py.Dataset) or column.dtype.kind not in "biuf":
            raise TypeError(f"{name} is no column of numbers")
        _check_size(name, column, arrays, names)
        found[name] = len(arrays)
        arrays.append(np.asarray(column))
    return {"info": info, "columns": found}


def _check_size(name: str, column: Any, arrays: list[np.ndarray], names: dict[str, Any]) -> None:
    """Refuse a column before it is read: a file of a few kB may claim numbers without end that it does not hold.

    Raises:
        ValueError: It has more steps than an episode can have, or is too large with those that were read before.
    """
    if column.ndim and column.shape[0] > names["most_steps"]:
        raise ValueError(f"{name} has {column.shape[0]} steps; there can be {names['most_steps']}")
    size = int(column.size) * column.dtype.itemsize
    if size > _SMALL and size > _BEST_COMPRESSION * column.id.get_storage_size():
        raise ValueError(f"{name} claims {column.size} numbers that the file does not hold")
    if size + sum(array.nbytes for array in arrays) > names["most_bytes"]:
        raise ValueError(f"its columns take more than {names['most_bytes'] >> 20} MB in memory")


if __name__ == "__main__":
    main()
