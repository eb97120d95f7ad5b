# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Options of Isaac Lab count only when they are written out: on its way of parsing, in a process and its children.

With Isaac Lab itself: tests/test_isaaclab_cli.py.
"""

import subprocess
import sys

import pytest

from .checkout import LAUNCHER, Checkout

STRICT = LAUNCHER.parent / "source" / "mereq_lab" / "mereq_lab" / "strict_options"

# As Isaac Lab does it: a parser that takes what it knows, one with all options, and Hydra's for what is left.
PROGRAM = """
import argparse, subprocess, sys
if sys.argv[1] == "child":
    sys.exit(subprocess.run([sys.executable, "-c", sys.argv[2], *sys.argv[3:]]).returncode)
first = argparse.ArgumentParser(add_help=False)
first.add_argument("--rl_library")
_, rest = first.parse_known_args()
second = argparse.ArgumentParser()
second.add_argument("--rl", type=int)
second.add_argument("--resume_optimizer_state", action=argparse.BooleanOptionalAction)
second.add_argument("--ray-proc-id", "-rid", type=int)
second.add_argument("--num_envs", "-n", type=int)
args, rest = second.parse_known_args(rest)
last = argparse.ArgumentParser()
last.add_argument("overrides", nargs="*")
print(args.rl, args.resume_optimizer_state, args.ray_proc_id, args.num_envs, last.parse_args(rest).overrides)
"""


def run(*arguments: str, child: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *(["child", PROGRAM] if child else []), *arguments]
    env = {"PYTHONPATH": str(STRICT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)


@pytest.mark.parametrize("child", [False, True])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--resume",), "unknown option --resume; not taken for --resume_optimizer_state; to go on"),
        (("--resume=true",), "unknown option --resume"),
        (("--resum", "x=1"), "unknown option --resum"),
        (("--load_run", "x"), "unknown option --load_run; to go on from a checkpoint: --checkpoint <file>"),
        (("--num_env", "4"), "unknown option --num_env; not taken for --num_envs"),
        (("-r", "3"), "unknown option -r; not taken for -rid"),
        (("--rl_lib", "rsl_rl"), "unknown option --rl_lib"),
        (("--nothing",), "unknown option --nothing"),
    ],
)
def test_what_is_not_written_out_is_refused_in_one_line(arguments: tuple[str, ...], words: str, child: bool):
    done = run(*arguments, child=child)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("isaaclab.sh: error: ") and done.stderr.count("\n") == 1
    assert words in done.stderr


def test_what_is_written_out_passes():
    done = run("--rl", "3", "--rl_library", "x", "--no-resume_optimizer_state", "-rid", "5", "-n7", "env.a=1", "b=2")
    assert (done.stdout, done.stderr) == ("3 False 5 7 ['env.a=1', 'b=2']\n", "")


@pytest.mark.parametrize("argument", ["-r", "--run"])
def test_what_isaac_lab_would_not_notice_is_refused(ready: Checkout, argument: str):
    assert argument in ready.fails("train", "--task", "Franka-Erase", argument)


@pytest.mark.parametrize(
    ("command", "argument", "hint"),
    [
        ("train", "agent.resume=true", "--checkpoint <file>"),
        ("play", "agent.resume=true", "--checkpoint <file>"),
        ("train", "+agent.resume=true", "--checkpoint <file>"),
        ("train", "++agent.resume=true", "--checkpoint <file>"),
        ("train", "agent.load_run=2026-11-30_12-00-00", "--checkpoint <file>"),
        ("train", "++agent.load_run=x", "--checkpoint <file>"),
        ("train", "+agent.load_checkpoint=model_100.pt", "--checkpoint <file>"),
        ("train", "~agent.load_checkpoint", "--checkpoint <file>"),
        ("train", "env.seed=7", "--seed <number>"),
        ("play", "++env.seed=7", "--seed <number>"),
        ("train", "env.log_dir=/tmp/x", "--experiment_name"),
    ],
)
def test_settings_that_isaac_lab_would_not_read_are_refused(ready: Checkout, command: str, argument: str, hint: str):
    error = ready.fails(command, "--task", "Franka-Erase", argument)
    name = argument.lstrip("+~").partition("=")[0]
    assert f"Isaac Lab's {command} does not read {name}; " in error and hint in error


@pytest.mark.parametrize("arguments", [("play", "agent.load_run=x"), ("train", "agent.seed=7", "agent.resume_x=1")])
def test_settings_that_isaac_lab_reads_pass(ready: Checkout, arguments: tuple[str, ...]):
    done = ready.run(*arguments)
    assert "does not read" not in done.stderr


def test_caches_that_cannot_be_written_are_named(ready: Checkout, tmp_path):
    (tmp_path / "file").touch()
    for environment, place in (
        ({"HOME": str(tmp_path / "file")}, f"{tmp_path}/file/.cache/warp"),
        ({"XDG_CACHE_HOME": "/proc/no"}, "/proc/no/warp"),
        ({"WARP_CACHE_PATH": str(tmp_path), "MEREQ_CACHE": "/dev/null"}, "/dev/null"),
    ):
        error = ready.fails("train", env={**ready.env, **environment})
        assert f"cannot write to {place}" in error and "set XDG_CACHE_HOME" in error
        assert ready.run("list_envs", env={**ready.env, **environment}).returncode == 0
