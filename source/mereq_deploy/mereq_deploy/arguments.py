# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The command line, and what is asked for where it leaves something open that nobody should assume."""

from __future__ import annotations

import argparse
import ipaddress
import math
import sys
from pathlib import Path

from .contract import Contract
from .errors import UserError
from .keyboard.remote import late_keyboard
from .safety import SafetyLimits
from .safety.limits import DEFAULT_FILE
from .tasks.board import trained_height

SIMULATED = "simulated"

MARGIN = 1.0
"""By which a motion ends before the safety layer would end it [s]."""

MOST_TABLE = 0.5
"""How high or low a table may be from the arm's base [m]."""


class UsageError(UserError):
    """The arguments do not fit together. The message is one line."""


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True, help="folder that export_policy.py made")
    parser.add_argument("--model", default="policy", help="which of its models (default: policy)")
    parser.add_argument("--task", help="refuse a policy of another task")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--robot", help="'simulated', or the address of the arm")
    target.add_argument("--replay", type=Path, metavar="LOG", help="run the policy over a log instead, and compare")
    parser.add_argument("--where", action="store_true", help="only print where the tool's point is, and move nothing")
    parser.add_argument("--speed", type=float, help="share of the largest speed (default: 0.1, simulated 1)")
    parser.add_argument("--seconds", type=float, help="length of the motion (default: that of an episode)")
    parser.add_argument("--marks", type=Path, help="for wiping: file with x,y [m] of each mark (simulated: drawn)")
    parser.add_argument(
        "--board-height", type=float, metavar="M", help="for wiping: height of the board's surface above the base [m]"
    )
    parser.add_argument("--table-height", type=float, metavar="M", help="height of the table above the base [m]")
    parser.add_argument("--seed", type=_seed, default=0, help="random seed of the simulated arm's marks (default: 0)")
    parser.add_argument("--safety", type=Path, default=DEFAULT_FILE, help="file of limits (default: fr3.toml)")
    parser.add_argument("--log", type=Path, help="file for the log (default: logs/deploy/TASK_TIME.jsonl)")
    parser.add_argument("--dry-run", action="store_true", help="move nothing, show what would be commanded")
    parser.add_argument("--dead-man", action="store_true", help="hold the space bar for a simulated arm as well")
    parser.add_argument(
        "--hold-device",
        type=Path,
        metavar="DEVICE",
        help="input device at this machine, as a foot pedal (/dev/input/by-id/...-event-kbd), instead of the space bar",
    )
    parser.add_argument("--recover", action="store_true", help="clear a reflex first: you have looked at the arm")
    return parser


def _seed(text: str) -> int:
    seed = int(text)
    if seed < 0:
        raise argparse.ArgumentTypeError(f"{seed} is below 0")
    return seed


def has_terminal() -> bool:
    """Return whether a person can be asked and keys be watched."""
    return sys.stdin is not None and sys.stdin.isatty()


def is_simulated(args: argparse.Namespace) -> bool:
    """Return whether this program starts the arm itself, in simulation."""
    return args.robot == SIMULATED


def is_on_this_machine(args: argparse.Namespace) -> bool:
    """Return whether the arm can only be a simulated one: it is on a loopback address."""
    try:
        return is_simulated(args) or ipaddress.ip_address(args.robot).is_loopback
    except ValueError:
        return False


def seconds_of(args: argparse.Namespace, contract: Contract, limits: SafetyLimits) -> float:
    """Return how long the motion is to last [s].

    Raises:
        UsageError: It is not above 0, or longer than the limits allow.
    """
    seconds = contract.episode_length_s if args.seconds is None else args.seconds
    most = limits.max_motion - MARGIN
    if not 0.0 < seconds <= most:
        raise UsageError(f"--seconds is {seconds:g}; it must be above 0 and at most {most:g}")
    return seconds


def speed_of(args: argparse.Namespace, limits: SafetyLimits) -> float:
    """Return the share of the largest speed.

    Raises:
        UsageError: It is not above 0 and at most 1.
    """
    speed = args.speed if args.speed is not None else (1.0 if is_simulated(args) else limits.first_speed)
    if not 0.0 < speed <= 1.0:
        raise UsageError(f"--speed is {speed:g}; it must be above 0 and at most 1")
    return speed


def check_dead_man(args: argparse.Namespace) -> bool:
    """Return whether a dead-man key is needed, once it is sure that it can be trusted.

    Raises:
        UsageError: There is no terminal, or what it says of keys may be late.
    """
    if args.dry_run:
        if args.recover:
            raise UsageError("--dry-run changes nothing on the arm, and --recover does: give one of them")
        return False
    if not (args.dead_man or args.hold_device is not None or not is_simulated(args)):
        return False
    if not has_terminal():
        raise UsageError("the dead-man key needs a terminal: start this by hand")
    late = None if args.hold_device is not None else late_keyboard()
    if late is not None:
        raise UsageError(
            f"this terminal is in {late}, where keys may come late and a key that was let go may count as held: start"
            " this on a local terminal of the machine beside the arm, or give a button at that machine by --hold-device"
        )
    return True


def heights_of(args: argparse.Namespace, contract: Contract) -> tuple[float, float | None]:
    """Return the heights of the table and of the board's surface above the arm's base [m]; no board: None.

    A simulated arm's are those of its scene. Any other's are asked for.

    Raises:
        UsageError: One is not known, or is none.
    """
    board = trained_height(contract)
    if args.board_height is not None and board is None:
        raise UsageError(f"--board-height: the policy of {contract.task} knows of no board")
    known = is_on_this_machine(args)
    table = _height(args.table_height, "--table-height", "table", 0.0 if known else None)
    if board is not None:
        board = _height(args.board_height, "--board-height", "board's surface", board if known else None)
        if board < table:
            raise UsageError(f"the board's surface at {board:g} m would be below the table at {table:g} m")
    return table, board


def _height(given: float | None, option: str, what: str, known: float | None) -> float:
    height = known if given is None else given
    if height is None:
        if not has_terminal():
            raise UsageError(f"how high is the {what} above the arm's base? Give it in metres by {option}")
        answer = _asked(f"Height of the {what} above the arm's base, in metres (--where measures it): ")
        try:
            height = float(answer)
        except ValueError as error:
            raise UsageError(f"{option}: {answer!r} is no number") from error
    if not math.isfinite(height) or abs(height) > MOST_TABLE:
        raise UsageError(f"{option} is {height:g} m; it must be -{MOST_TABLE} to {MOST_TABLE} m")
    return height


def _asked(question: str) -> str:
    try:
        return input(question)
    except EOFError:
        return ""


def confirm_speed(speed: float, limits: SafetyLimits) -> None:
    """Ask before an arm moves faster than in a first run.

    Raises:
        UsageError: The answer is no, or there is nobody to ask.
    """
    if speed <= limits.first_speed:
        return
    question = f"The arm will move at {speed:g} of the full speed, not at {limits.first_speed:g}. Go on? [y/N] "
    if not has_terminal() or _asked(question).strip().lower() != "y":
        raise UsageError("not confirmed")
