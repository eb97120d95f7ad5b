# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Drives an arm with an exported policy; see ``--help``. It needs the package ``mereq_deploy`` alone."""

import argparse
import sys

from mereq_deploy import cli
from mereq_deploy.arguments import parser


def make_parser() -> argparse.ArgumentParser:
    return parser(cli.__doc__)


if __name__ == "__main__":
    sys.exit(cli.main())
