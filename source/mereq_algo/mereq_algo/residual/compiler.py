# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether this machine can compile for its GPU."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import warnings

COMPILERS = ("gcc", "clang", "cc")


@functools.cache
def can_compile() -> bool:
    """Return whether ``torch.compile`` has what it needs on a GPU; where it has not, warn, once."""
    missing = []
    if importlib.util.find_spec("triton") is None:
        missing.append("Triton (pip install triton)")
    if not os.environ.get("CC") and not any(map(shutil.which, COMPILERS)):
        missing.append("a C compiler (apt install gcc)")
    if missing:
        warnings.warn(
            f"updates are not compiled, and learning takes longer: this machine has not got {' and '.join(missing)}",
            stacklevel=2,
        )
    return not missing
