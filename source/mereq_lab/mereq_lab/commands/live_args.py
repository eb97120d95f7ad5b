# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Arguments of live supervision, which two scripts take."""

from __future__ import annotations

import argparse

from mereq_tasks.arguments import TaskUsageError


def add_live_args(parser: argparse.ArgumentParser) -> None:
    """Adds what a script asks of live supervision."""
    parser.add_argument("--num_supervised", type=int, default=1, help="robots shown, each for one person (default: 1)")
    parser.add_argument("--host", help="address of the page (default: this machine alone)")
    parser.add_argument("--port", type=int, help="its port (default: 8080; 0 for any)")


def check_live_args(args: argparse.Namespace) -> None:
    """Refuses what cannot be.

    Raises:
        TaskUsageError: There is no such port, or no robot.
    """
    if args.num_supervised < 1:
        raise TaskUsageError(f"num_supervised is {args.num_supervised}; at least 1 robot is needed")
    if args.port is not None and not 0 <= args.port < 2**16:
        raise TaskUsageError(f"port is {args.port}; it must be between 0 and {2**16 - 1}")


def fill_in_address(args: argparse.Namespace) -> None:
    """Takes the usual address, of this machine alone, where nobody named another: neither now nor before a resume."""
    args.host = "127.0.0.1" if args.host is None else args.host
    args.port = 8080 if args.port is None else args.port
