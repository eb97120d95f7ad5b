# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Text from outside that is printed: names of people and files can hold what a terminal obeys."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""Return a text in which everything that a terminal might obey, or not show, is an escape like ``\x1b``.

    Rich's own markup is not touched: print with ``markup=False``.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in str(text)
    )
