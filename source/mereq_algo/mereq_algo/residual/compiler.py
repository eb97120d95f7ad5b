# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether this machine can compile for its GPU."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import sysconfig
import warnings
from pathlib import Path

COMPILERS = ("gcc", "clang")
"""What Triton looks for where ``CC`` names nothing."""


@functools.cache
def can_compile() -> bool:
    """Return whether ``torch.compile`` has what it needs on a GPU; where it has not, warn, once."""
    missing = []
    if importlib.util.find_spec("triton") is None:
        missing.append("Triton (pip install triton)")
    if "CC" not in os.environ and not any(map(shutil.which, COMPILERS)):
        missing.append("a C compiler (apt install gcc)")
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        missing.append("the headers of Python (apt install python3.12-dev)")
    if missing:
        warnings.warn(
            f"updates are not compiled, and learning takes longer: this machine has not got {' or '.join(missing)}",
            stacklevel=2,
        )
    return not missing
