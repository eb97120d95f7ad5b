# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Drives a Franka arm with an exported policy, inside the limits of a safety layer.

Examples:
    ./isaaclab.sh -p scripts/deploy.py --policy exported/erase --robot simulated
    ./isaaclab.sh -p scripts/deploy.py --policy exported/erase --robot simulated --dry-run
    ./isaaclab.sh -p scripts/deploy.py --policy exported/erase --robot ADDRESS --marks marks.csv
    ./isaaclab.sh -p scripts/deploy.py --policy exported/erase --replay logs/deploy/LOG.jsonl

An arm at an address moves only while the space bar is held, at a tenth of the full speed unless --speed says otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import math
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from .arm import ArmError
from .contract import Contract, ContractError
from .guard import GuardedArm, StoppedError
from .guard.messages import Settings, Stopped
from .observation import ObservationBuilder
from .policy import OnnxPolicy
from .report import progress, summary
from .runtime import Episode, LogError, LogReader, LogWriter, replay
from .runtime.keys import Keys
from .runtime.replay import TOLERANCE
from .safety import SafetyError, SafetyLimits
from .safety.limits import DEFAULT_FILE
from .state import ArmState, MissingStateError, Scene
from .tasks.marks import Marks
from .tasks.strokes import Strokes

SIMULATED = "simulated"


class UsageError(ValueError):
    """The arguments do not fit together. The message is one line."""


USER_ERRORS = (ArmError, ContractError, LogError, MissingStateError, SafetyError, UsageError)

STOPPED = 3
"""Exit status of a motion that something stopped."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    args = _parser().parse_args(argv)
    # However this program was started: a shell makes what it puts aside deaf to Ctrl-C.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        contract = Contract.load(args.policy)
        if args.task not in (None, contract.task):
            raise UsageError(f"the policy is of task {contract.task}, not {args.task}")
        policy = OnnxPolicy(args.policy, contract, args.model)
        if args.replay is not None:
            return _replay(args.replay, policy, contract)
        return _deploy(args, policy, contract)
    except USER_ERRORS as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True, help="folder that export_policy.py made")
    parser.add_argument("--model", default="policy", help="which of its models (default: policy)")
    parser.add_argument("--task", help="refuse a policy of another task")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--robot", help="'simulated', or the address of the arm")
    target.add_argument("--replay", type=Path, metavar="LOG", help="run the policy over a log instead, and compare")
    parser.add_argument("--speed", type=float, help="share of the largest speed (default: 0.1, simulated 1)")
    parser.add_argument("--seconds", type=float, help="length of the motion (default: that of an episode)")
    parser.add_argument("--marks", type=Path, help="for wiping: file with x,y [m] of each mark (simulated: drawn)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn for a simulated arm (default: 0)")
    parser.add_argument("--safety", type=Path, default=DEFAULT_FILE, help="file of limits (default: fr3.toml)")
    parser.add_argument("--log", type=Path, help="file for the log (default: logs/deploy/TASK_TIME.jsonl)")
    parser.add_argument("--dry-run", action="store_true", help="move nothing, show what would be commanded")
    parser.add_argument("--dead-man", action="store_true", help="hold the space bar for a simulated arm as well")
    parser.add_argument("--recover", action="store_true", help="clear a reflex first: somebody has looked at the arm")
    return parser


def _replay(file: Path, policy: OnnxPolicy, contract: Contract) -> int:
    found = replay(LogReader(file), policy, contract)
    print(f"{found.steps} steps")
    print(f"observations differ by at most {found.observation_difference:.1e}")
    print(f"actions differ by at most {found.action_difference:.1e}")
    if found.first_step is not None or found.observation_difference > TOLERANCE:
        print("not what was logged" + ("" if found.first_step is None else f", from step {found.first_step} on"))
        return 1
    return 0


def _deploy(args: argparse.Namespace, policy: OnnxPolicy, contract: Contract) -> int:
    is_simulated = args.robot == SIMULATED
    limits = SafetyLimits.load(args.safety)
    seconds = contract.episode_length_s if args.seconds is None else args.seconds
    if not 0.0 < seconds <= limits.max_motion:
        raise UsageError(f"--seconds is {seconds:g}; it must be above 0 and at most {limits.max_motion:g}")
    speed = args.speed if args.speed is not None else (1.0 if is_simulated else limits.first_speed)
    if not 0.0 < speed <= 1.0:
        raise UsageError(f"--speed is {speed:g}; it must be above 0 and at most 1")
    needs_hold = args.dead_man or not (is_simulated or args.dry_run)
    if needs_hold and not sys.stdin.isatty():
        raise UsageError("the dead-man key needs a terminal: start this by hand")
    strokes = _strokes(args, contract, is_simulated)
    _check_measured(contract, strokes)
    if not is_simulated and speed > limits.first_speed and not args.dry_run:
        _confirm(f"The arm will move at {speed:g} of the full speed, not at {limits.first_speed:g}. Go on?")

    settings = Settings(speed, args.dry_run, args.recover)
    now = datetime.datetime.now()
    log_file = args.log or Path("logs/deploy") / f"{contract.task}_{now:%Y-%m-%d_%H-%M-%S}.jsonl"
    with contextlib.ExitStack() as stack:
        address = args.robot
        if is_simulated:
            from .simulated.process import simulated_robot

            address = stack.enter_context(simulated_robot(contract.home)).address
        arm = GuardedArm(address, contract, limits, settings)
        stack.callback(arm.close)
        log = stack.enter_context(LogWriter(log_file))
        log.write(
            "start",
            **{
                "task": contract.task,
                "model": args.model,
                "sha256": contract.models[args.model].files["onnx"]["sha256"],
            },
            **{"robot": args.robot, "time": now.isoformat(timespec="seconds"), "settings": settings, "limits": limits},
            marks=None if strokes is None else strokes.now.position,
        )
        if sys.stdin.isatty():
            keys = stack.enter_context(Keys(arm.ask_to_stop, needs_hold))
            if needs_hold:
                print("Hold the space bar: the arm moves while you do. Any other key stops it.", flush=True)
                keys.wait_for_hold()
        try:
            arm.go_home()
        except StoppedError as over:
            log.write("end", stopped=over.stopped, steps=0)
            return _tell_stop(over.stopped, log_file)
        steps = math.ceil(seconds * contract.rate_hz)
        outcome = Episode(arm, contract, policy, steps, log, strokes, progress(contract, args.dry_run)).run()
    print(summary(outcome, strokes))
    assert outcome.stopped is not None
    return _tell_stop(outcome.stopped, log_file)


def _strokes(args: argparse.Namespace, contract: Contract, is_simulated: bool) -> Strokes | None:
    """Return what there is to wipe: the marks of a file, or for a simulated arm a new stroke every episode's length."""
    law = contract.parameters.get("marks")
    if law is None:
        return None
    if args.marks is not None:
        return Strokes(Marks(Marks.load(args.marks), law))
    if not is_simulated:
        raise UsageError("where are the marks? --marks FILE with a line x,y [m] for each")
    draw = partial(Marks.drawn, law, np.random.default_rng(args.seed))
    return Strokes(draw(), draw, math.ceil(contract.episode_length_s * contract.rate_hz))


def _check_measured(contract: Contract, strokes: Strokes | None) -> None:
    """Refuse a policy that needs what nobody measures, before the arm moves."""
    arm = ArmState(np.zeros(3), np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3))
    memory = {} if strokes is None else {"marks": strokes.now}
    ObservationBuilder(contract).build(Scene(arm, np.zeros(3), memory=memory))


def _confirm(question: str) -> None:
    if not sys.stdin.isatty() or input(f"{question} [y/N] ").strip().lower() != "y":
        raise UsageError("not confirmed")


def _tell_stop(stopped: Stopped, log_file: Path) -> int:
    """Say why the arm does not move any more; returns the exit status."""
    print(f"log: {log_file}")
    if stopped.is_regular:
        return 0
    rest = (
        "it does not tell whether it is at rest"
        if stopped.at_rest is None
        else (f"at rest {stopped.at_rest - stopped.commanded:.2f} s later")
    )
    print(f"stopped: {stopped.reason}; {rest}", file=sys.stderr)
    for note in stopped.notes:
        print(f"  and {note}", file=sys.stderr)
    print("Look at the arm before you start again; after a reflex, with --recover.", file=sys.stderr)
    return STOPPED


if __name__ == "__main__":
    sys.exit(main())
