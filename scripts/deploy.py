# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Drives an arm with an exported policy; see ``--help``. It needs the package ``mereq_deploy`` alone."""

import sys

from mereq_deploy.cli import main

if __name__ == "__main__":
    sys.exit(main())
