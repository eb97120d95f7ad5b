# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The base of the errors that a user can cause."""

from __future__ import annotations


class UserError(ValueError):
    """A contract, an arm, a file or a command line that this package cannot work with.

    The message is one line. Programs print that line without a trace and exit with status 2.
    """
