# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``python -m mereq_deploy``, on a machine that has nothing but this package."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
