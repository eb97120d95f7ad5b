# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Writes figures as files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from mereq_algo.atomic_write import write_buffered


def write_figure(figure: Figure, file: Path) -> None:
    """Write a figure in the format that the file's name ends in.

    Raises:
        WriteError: It cannot be written.
    """
    kind = file.suffix.removeprefix(".")
    write_buffered(file, lambda stream: figure.savefig(stream, format=kind, dpi=150, bbox_inches="tight"))
