# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Text that a printer takes for something else: markup, emoji codes, commands of a terminal, halves of characters."""

HOSTILE = [
    "[/b]",
    ":key:",
    "[red]x",
    "[link=http://x]y[/link]",
    "\x1b[31mred\x1b]0;title\x07",
    "a\nb\r\tc",
    "\u202eabc",
    "\ud800",
]
