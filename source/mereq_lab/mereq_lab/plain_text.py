# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Text from outside (names of people and tasks, notes, names of files) as text and nothing else."""

from __future__ import annotations


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
