# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A terminal that passes keys on to a program that watches them."""

from __future__ import annotations

import contextlib
import os
import termios
import tty
from collections.abc import Iterator

KEYS_WITH_SIGNALS = (termios.VSUSP, termios.VQUIT, termios.VINTR)
"""Indices of the keys that signal the programs of a terminal."""


@contextlib.contextmanager
def taken_over(descriptor: int) -> Iterator[None]:
    """Make a terminal pass every key on at once, but for Ctrl-C, until the end of the block.

    Keys that suspend a program (Ctrl-Z), end it with a core dump, or halt its output (Ctrl-S, Ctrl-Q) are keys like any
    other meanwhile. What was typed before is dropped, and so is what was typed for the block.

    Args:
        descriptor: Of the terminal.

    Yields:
        None.

    Raises:
        termios.error: It is no terminal, or is gone.
    """
    before = termios.tcgetattr(descriptor)
    settings = termios.tcgetattr(descriptor)
    settings[tty.CC][termios.VMIN], settings[tty.CC][termios.VTIME] = 1, 0
    settings[tty.IFLAG] &= ~(termios.IXON | termios.IXOFF | termios.IXANY)
    settings[tty.LFLAG] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
    disabled = os.fpathconf(descriptor, "PC_VDISABLE").to_bytes(1, "little")
    # Ctrl-C of a terminal that is not the program's own would signal nobody: there it is read.
    for key in (termios.VSUSP, termios.VQUIT) if _has_job_control(descriptor) else KEYS_WITH_SIGNALS:
        settings[tty.CC][key] = disabled
    termios.tcsetattr(descriptor, termios.TCSAFLUSH, settings)
    try:
        yield
    finally:
        if is_ours(descriptor):
            with contextlib.suppress(termios.error):  # a terminal that is gone needs nothing back
                termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


def is_ours(descriptor: int) -> bool:
    """Return whether no other program, as a shell that got it back, has the terminal in the foreground."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # it is not this program's controlling terminal: no shell has it
        return True


def _has_job_control(descriptor: int) -> bool:
    try:
        os.tcgetpgrp(descriptor)
    except OSError:
        return False
    return True
