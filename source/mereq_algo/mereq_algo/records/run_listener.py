# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a run tells those who follow it."""

from __future__ import annotations

from typing import Protocol

from ..methods import InnerLoopProgress
from .run_record import RunRecord


class RunListener(Protocol):
    """Whoever wants to follow a run: a display, a log."""

    def update(self, record: RunRecord, phase: str, inner: InnerLoopProgress | None) -> None:
        """Take in where the run stands.

        Args:
            record: Everything so far.
            phase: What is going on, in words.
            inner: Where the inner loop stands, while it runs.
        """
        ...
