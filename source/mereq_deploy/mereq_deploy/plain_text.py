# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Text from outside (a contract, a log, names of files) as text and nothing else. All that is printed goes through it.

The trainer has the same function of its own: this package is installed without it.
"""

from __future__ import annotations

import sys


def plain(text: object) -> str:
    r"""Return text on one line that no terminal takes for a command.

    Control characters (escape sequences and newlines among them), characters that turn the direction of writing, line
    separators and halves of characters become what Python writes for them: ``\x1b``, ``\n``, ``\u202e``, ``\udc80``.

    Args:
        text: The text; something else is made text first.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in str(text)
    )


def say(text: str) -> None:
    """Print text at once; its lines stay lines.

    Raises:
        BrokenPipeError: Standard output is not read any more.
    """
    print("\n".join(map(plain, text.split("\n"))), flush=True)


def complain(text: str) -> None:
    """Print text on the error stream; its lines stay lines.

    Raises:
        BrokenPipeError: The error stream is not read any more.
    """
    print("\n".join(map(plain, text.split("\n"))), file=sys.stderr, flush=True)
