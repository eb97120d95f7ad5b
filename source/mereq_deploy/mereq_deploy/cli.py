# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Drives a Franka arm with an exported policy, inside the limits of a safety layer.

Examples:
    ./isaaclab.sh -p scripts/deploy.py --policy exported/erase --robot simulated
    ./isaaclab.sh -p scripts/deploy.py --policy exported/erase --robot simulated --dry-run
    ./isaaclab.sh -p scripts/deploy.py --policy exported/erase --robot ADDRESS --where
    ./isaaclab.sh -p scripts/deploy.py --policy exported/erase --robot ADDRESS --marks marks.csv \
        --table-height 0 --board-height 0.02
    ./isaaclab.sh -p scripts/deploy.py --policy exported/erase --replay logs/deploy/LOG.jsonl

An arm at an address moves only while the space bar is held, at a tenth of the full speed unless --speed says otherwise.
Read docs/before_the_arm_moves.md first.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import math
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from .arguments import (
    UsageError,
    check_dead_man,
    confirm_speed,
    has_terminal,
    heights_of,
    is_simulated,
    parser,
    seconds_of,
    speed_of,
)
from .arm import FrankyArm
from .contract import Contract
from .errors import UserError
from .guard import GuardedArm
from .guard.messages import Settings, Stopped
from .keyboard.handle import Keyboard
from .keyboard.terminal import is_ours
from .observation import ObservationBuilder
from .plain_text import complain, say
from .policy import OnnxPolicy
from .report import progress, summary
from .runtime import Episode, LogReader, LogWriter, replay
from .runtime.replay import TOLERANCE
from .runtime.signals import stopped_by_signals
from .safety import SafetyLimits, check_fits
from .state import ArmState, Scene
from .tasks.board import check_home_above, check_marks, on_board
from .tasks.marks import Marks
from .tasks.strokes import Strokes

STOPPED = 3
"""Exit status of a motion that something stopped."""

REALTIME_KERNEL = Path("/sys/kernel/realtime")
"""Says 1 on a kernel with PREEMPT_RT."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    args = parser(__doc__).parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that this terminal has no letters for
    # However this program was started: a shell makes what it puts aside deaf to Ctrl-C.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # A program that is asked to end while it connects leaves nothing half-made either.
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # and is not told to live on, as by nohup
                signal.signal(number, signal.default_int_handler)
    try:
        contract, digest = Contract.load_with_digest(args.policy)
        if args.task not in (None, contract.task):
            raise UsageError(f"the policy is of task {contract.task}, not {args.task}")
        policy = OnnxPolicy(args.policy, contract, args.model)
        if args.replay is not None:
            return _replay(args.replay, policy, contract)
        if args.where:
            return _where(args, contract)
        return _deploy(args, policy, contract, digest)
    except UserError as error:
        complain("error: " + " ".join(str(error).split()))
        return 2
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except OSError as error:  # the arm has been stopped
        cause = "is not read any more" if isinstance(error, BrokenPipeError) else f"cannot be written ({error})"
        with contextlib.suppress(OSError):
            complain(f"error: what this program prints {cause}")
        sys.stdout = None  # nothing is left to be flushed at the end
        return STOPPED


def _replay(file: Path, policy: OnnxPolicy, contract: Contract) -> int:
    found = replay(LogReader(file), policy, contract)
    say(f"{found.steps} steps")
    say(f"observations differ by at most {found.observation_difference:.1e}")
    say(f"actions differ by at most {found.action_difference:.1e}")
    if found.first_step is not None or found.observation_difference > TOLERANCE:
        say("not what was logged" + ("" if found.first_step is None else f", from step {found.first_step} on"))
        return 1
    return 0


def _where(args: argparse.Namespace, contract: Contract) -> int:
    """Print where the tool's point is, as a person who guides the arm by hand needs it to measure board and marks."""
    limits = SafetyLimits.load(args.safety)
    say("Nothing moves. Connecting sets the levels of the arm's reflex, and nothing else.")
    seconds = 0.0 if args.seconds is None else seconds_of(args, contract, limits)
    with contextlib.ExitStack() as stack:
        arm = FrankyArm(_address(args, contract, stack), contract, limits, dry_run=True)
        end = time.monotonic() + seconds
        while True:
            measured = arm.snapshot().measured
            x, y, z = measured.tool_position
            say(f"tool at {x:.4f},{y:.4f} m, {z:.4f} m high; force {np.linalg.norm(measured.force):.1f} N")
            if time.monotonic() >= end:
                return 0
            time.sleep(0.5)


def _address(args: argparse.Namespace, contract: Contract, stack: contextlib.ExitStack) -> str:
    """Return the arm's address; a simulated arm is started until the end of the block."""
    if not is_simulated(args):
        return args.robot
    from .simulated.process import simulated_robot

    return stack.enter_context(simulated_robot(contract.home)).address


def _deploy(args: argparse.Namespace, policy: OnnxPolicy, contract: Contract, digest: str) -> int:
    limits = SafetyLimits.load(args.safety)
    seconds, speed = seconds_of(args, contract, limits), speed_of(args, limits)
    needs_hold = check_dead_man(args)
    strokes = _strokes(args, contract)
    _check_measured(contract, strokes)
    table, board = heights_of(args, contract)
    limits = replace(limits, lowest=limits.lowest + table)
    if board is not None:
        contract = on_board(contract, board)
    check_fits(contract, limits)
    if board is not None:
        check_home_above(contract, board)
    if not is_simulated(args):
        _warn(args)
        if not args.dry_run:
            confirm_speed(speed, limits)

    settings = Settings(speed, args.dry_run, args.recover, board, needs_hold)
    now = datetime.datetime.now()
    log_file = args.log or Path("logs/deploy") / f"{contract.task}_{now:%Y-%m-%d_%H-%M-%S}.jsonl"
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(LogWriter(log_file))
        address = _address(args, contract, stack)
        keys = _keyboard(args, needs_hold)
        if keys is not None:
            stack.enter_context(keys)
        arm = GuardedArm(address, contract, limits, settings, keyboard=None if keys is None else keys.guard_link)
        stack.callback(arm.close)
        stack.enter_context(stopped_by_signals(arm))
        log.write(
            "start",
            **{"task": contract.task, "model": args.model, "contract": digest},
            sha256=contract.models[args.model].files["onnx"]["sha256"],
            **{"robot": args.robot, "time": now.isoformat(timespec="seconds"), "settings": settings, "limits": limits},
            **{"table_height": table, "board_height": board, "guard": arm.notes},
            marks=None if strokes is None else strokes.now.position,
        )
        wait = None
        if keys is not None and needs_hold:
            what = "the space bar" if args.hold_device is None else f"the key of {args.hold_device}"
            say(f"Hold {what}: the arm moves while you do. Any other key stops it.")
            wait = partial(keys.wait_for_hold, lambda: arm.is_asked_to_stop)
        steps = math.ceil(seconds * contract.rate_hz)
        show = progress(contract, args.dry_run)
        outcome = Episode(arm, contract, policy, steps, log, strokes, show, wait).run()
    say(summary(outcome, strokes))
    assert outcome.stopped is not None
    return _tell_stop(outcome.stopped, log_file)


def _keyboard(args: argparse.Namespace, needs_hold: bool) -> Keyboard | None:
    """Return the keyboard; none where a program without a dead-man key has no terminal, or runs in the background."""
    if not has_terminal() or (not needs_hold and not is_ours(sys.stdin.fileno())):
        return None
    return Keyboard(needs_hold, device=args.hold_device)


def _strokes(args: argparse.Namespace, contract: Contract) -> Strokes | None:
    """Return what there is to wipe: the marks of a file, or for a simulated arm a new stroke every episode's length."""
    law = contract.parameters.get("marks")
    if law is None:
        if args.marks is not None:
            raise UsageError(f"--marks: the policy of {contract.task} wipes nothing")
        return None
    if args.marks is not None:
        position = Marks.load(args.marks)
        check_marks(position, contract)
        return Strokes(Marks(position, law))
    if not is_simulated(args):
        raise UsageError("where are the marks? --marks FILE with a line x,y [m] for each (--where measures them)")
    draw = partial(Marks.drawn, law, np.random.default_rng(args.seed))
    return Strokes(draw(), draw, math.ceil(contract.episode_length_s * contract.rate_hz))


def _check_measured(contract: Contract, strokes: Strokes | None) -> None:
    """Refuse a policy that needs what nobody measures, or could not begin at home, before the arm moves."""
    home = contract.home_tool
    arm = ArmState(home, np.zeros(3), np.asarray(contract.tool_step.orientation), np.zeros(3))
    memory = {} if strokes is None else {"marks": strokes.now}
    builder = ObservationBuilder(contract)
    wrong = builder.out_of_range(builder.build(Scene(arm, home, memory=memory)))
    if wrong:
        raise UsageError(f"at home the policy would see {', '.join(wrong)} outside the contract's range")


def _warn(args: argparse.Namespace) -> None:
    """Say what a person beside the arm should know."""
    try:
        is_realtime = REALTIME_KERNEL.read_text(encoding="ascii").strip() == "1"
    except (OSError, ValueError):
        is_realtime = False
    if not is_realtime:
        complain(
            "warning: this is no realtime kernel (PREEMPT_RT): where packets are late, the arm stops by itself."
            " See docs/before_the_arm_moves.md"
        )
    if args.dry_run:
        say("Dry run: nothing moves. Connecting sets the levels of the arm's reflex, and nothing else.")


def _tell_stop(stopped: Stopped, log_file: Path) -> int:
    """Say why the arm does not move any more; returns the exit status."""
    say(f"log: {log_file}")
    if stopped.is_regular and stopped.at_rest is not None and not stopped.notes:
        return 0
    rest = (
        "it does not tell whether it is at rest"
        if stopped.at_rest is None
        else (f"at rest {stopped.at_rest - stopped.commanded:.2f} s later")
    )
    complain(f"stopped: {stopped.reason}; {rest}")
    for note in stopped.notes:
        complain(f"  and {note}")
    complain("Look at the arm before you start again; after a reflex, with --recover.")
    return STOPPED


if __name__ == "__main__":
    sys.exit(main())
