# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How a script starts and ends. A script imports this module first.

Only what the command line needs is imported here; learning and the simulator take seconds to import.
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
from collections.abc import Iterator

import mereq_algo.errors
import mereq_deploy.errors
import mereq_tasks.errors
from mereq_algo.atomic_write import CAUSES, DISK_ERRORS
from mereq_tasks.caches import keep_matplotlib_in_caches

from .errors import print_line
from .strict_options.fewer_collections import collect_seldom
from .strict_options.venv_users import hold_venv

USER_ERRORS = (mereq_algo.errors.UserError, mereq_deploy.errors.UserError, mereq_tasks.errors.UserError)
"""What a user can get wrong."""

hold_venv()  # scripts start each other
collect_seldom()
keep_matplotlib_in_caches()


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns what a user can get wrong into one line and exit status 2, Ctrl-C into 130, and a request to end into 143.

    The latter ends a program at once unless it is told otherwise, and half a file would stay.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that this terminal has no letters for
    try:
        yield
    except USER_ERRORS as error:
        print_line(f"error: {error}", "red")
        sys.exit(2)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        place = f": {error.filename}" if error.filename else ""
        print_line(f"error: {CAUSES[error.errno]}{place}", "red")
        sys.exit(2)
    except KeyboardInterrupt:
        print_line("interrupted", "yellow")
        sys.exit(130)
