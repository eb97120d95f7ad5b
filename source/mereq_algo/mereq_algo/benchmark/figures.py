# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Writes figures as files that are whole or not there."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from ..whole_file import write_whole


def write_figure(figure: Figure, file: Path) -> None:
    """Write a figure in the format that the file's name ends in.

    Raises:
        WriteError: It cannot be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format=file.suffix.removeprefix("."), dpi=150, bbox_inches="tight")
    write_whole(file, lambda place: place.write_bytes(content.getvalue()))
