# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The report of a run: one page that opens anywhere."""

from .page import VIDEO, write_report

__all__ = ["VIDEO", "write_report"]
