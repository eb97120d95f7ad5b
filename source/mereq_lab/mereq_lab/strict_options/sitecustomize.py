# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Isaac Lab's options count only when they are written out; Python reads this first, where the launcher asks for it.

Isaac Lab's parsers take the beginning of an option for the option: ``train --resume`` was read as
``--resume_optimizer_state``, and training started anew. What no parser knows ends at Hydra's, whose answer is a page.

Isaac Lab starts programs of its own; each says that it runs in ``.venv``, and starts sooner.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn

from fewer_collections import collect_seldom
from venv_users import hold_venv

HINTS = dict.fromkeys(("--resume", "--load_run"), "to go on from a checkpoint: --checkpoint <file>")
"""What is meant by options of other releases of Isaac Lab. A run's folder will not do: 3.0.0 finds no file in it."""

_find_options = argparse.ArgumentParser._get_option_tuples
_end = argparse.ArgumentParser.error
_shortened: dict[str, str] = {}


def _find_exact_options(self: argparse.ArgumentParser, option_string: str) -> list[Any]:
    """Return the options that a word can stand for: those that it begins with, such as ``-i3``, not the other way."""
    found = _find_options(self, option_string)
    exact = [option for option in found if option_string.startswith(option[1])]
    if found and not exact:
        _shortened[option_string.partition("=")[0]] = " or ".join(sorted({option[1] for option in found}))
    return exact


def _end_in_one_line(self: argparse.ArgumentParser, message: str) -> NoReturn:
    """Say which option is unknown, without the options of a program that the user knows nothing of."""
    kind, _, rest = message.partition(": ")
    unknown = [word.partition("=")[0] for word in rest.split() if word.startswith("-")]
    if kind != "unrecognized arguments" or not unknown:
        _end(self, message)
    option = unknown[0]
    hints = [f"not taken for {_shortened[option]}"] if option in _shortened else []
    hints += [HINTS[option]] if option in HINTS else []
    print(f"isaaclab.sh: error: unknown option {option}{''.join(f'; {hint}' for hint in hints)}", file=sys.stderr)
    sys.exit(2)


argparse.ArgumentParser._get_option_tuples = _find_exact_options
argparse.ArgumentParser.error = _end_in_one_line
hold_venv()
collect_seldom()
