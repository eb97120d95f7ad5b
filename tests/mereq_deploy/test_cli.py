# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""`deploy.py` as a user types it, but for the shell."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mereq_deploy.cli import STOPPED, main
from mereq_deploy.runtime import LogReader
from mereq_deploy.safety.limits import DEFAULT_FILE
from mereq_deploy.simulated.terminal import Terminal, command_of, descendants

pytestmark = [pytest.mark.timeout(120), pytest.mark.realtime]

WARNING = (
    "warning: this is no realtime kernel (PREEMPT_RT): where packets are late, the arm stops by itself. See"
    " docs/before_the_arm_moves.md\n"
)


@pytest.fixture
def exported(arm_export: Path) -> Path:
    return arm_export


def command_line(exported: Path, robot: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "mereq_deploy", "--policy", str(exported), "--robot", robot, *options]


def test_a_simulated_arm_is_led_and_its_log_replayed(exported, tmp_path, capsys):
    log_file = tmp_path / "log.jsonl"
    arguments = ["--policy", str(exported)]
    assert main([*arguments, "--robot", "simulated", "--seconds", "2", "--log", str(log_file)]) == 0
    said = capsys.readouterr().out
    assert "steps                       40" in said and f"log: {log_file}" in said
    log = LogReader(log_file)
    assert log.end is not None and log.end["stopped"]["is_regular"]
    places = [step["reading"]["arm"]["tool_position"] for step in log.steps()]
    assert len(places) == 40
    assert max(abs(a - b) for a, b in zip(places[0], places[-1], strict=True)) > 0.01  # it moved

    assert main([*arguments, "--replay", str(log_file)]) == 0
    lines = log_file.read_text().splitlines()
    changed = json.loads(lines[20])
    changed["action"][1] += 0.1
    log_file.write_text("\n".join([*lines[:20], json.dumps(changed), *lines[21:]]) + "\n")
    capsys.readouterr()
    assert main([*arguments, "--replay", str(log_file)]) == 1
    assert "not what was logged, from step 19 on" in capsys.readouterr().out


def test_a_dry_run_moves_nothing(exported, tmp_path, capsys):
    log_file = tmp_path / "log.jsonl"
    arguments = ["--robot", "simulated", "--dry-run", "--seconds", "1.5", "--log", str(log_file)]
    assert main(["--policy", str(exported), *arguments]) == 0
    assert "would ask for (" in capsys.readouterr().out
    places = [step["reading"]["arm"]["tool_position"] for step in LogReader(log_file).steps()]
    assert max(abs(a - b) for place in places for a, b in zip(place, places[0], strict=True)) < 1e-3


def test_a_limit_stops_with_one_line_and_status_3(exported, tmp_path, capsys):
    strict = tmp_path / "strict.toml"
    strict.write_text(DEFAULT_FILE.read_text().replace("velocity_share = 0.5", "velocity_share = 0.01"))
    arguments = ["--robot", "simulated", "--safety", str(strict), "--log", str(tmp_path / "log.jsonl")]
    assert main(["--policy", str(exported), *arguments]) == STOPPED
    assert "stopped: joint" in capsys.readouterr().err


def test_the_log_says_what_was_set_how_often_the_guard_looked_and_which_contract_it_was(exported, tmp_path):
    log_file = tmp_path / "log.jsonl"
    assert main(["--policy", str(exported), "--robot", "simulated", "--seconds", "1", "--log", str(log_file)]) == 0
    log = LogReader(log_file)
    assert log.start["contract"] == hashlib.sha256((exported / "contract.json").read_bytes()).hexdigest()
    assert log.start["guard"]["set_on_arm"]["load_kg"] == pytest.approx(0.06)
    assert log.start["table_height"] == 0.0 and log.start["board_height"] is None
    assert log.end is not None and log.end["phase"] == "following the policy"
    assert log.end["home"]["looks"]["count"] > 100 and log.end["home"]["seconds"] > 0.5
    assert 0.004 < log.end["stopped"]["looks"]["median"] < 0.02
    assert max(step["reading"]["gap"] for step in log.steps()) < 0.03


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_program_that_is_asked_to_end_at_any_moment_leaves_a_log_with_an_end(exported, tmp_path, number):
    """From the moment at which there is a log."""
    told = re.compile("interrupted|asked to end")
    for delay in (0.0, 0.3, 0.8, 1.6):
        log_file = tmp_path / f"{delay}.jsonl"
        command = command_line(exported, "simulated")
        program = subprocess.Popen([*command, "--log", str(log_file)], stderr=subprocess.PIPE, text=True)
        while not log_file.exists() or not log_file.read_text().count("\n"):
            assert program.poll() is None
            time.sleep(0.01)
        time.sleep(delay)
        program.send_signal(number)
        _, said = program.communicate(timeout=30.0)
        assert program.returncode == STOPPED and told.search(said)
        end = LogReader(log_file).end
        assert end is not None and told.search(end["stopped"]["reason"])


def test_where_the_tool_is_can_be_asked_without_moving_anything(exported, capsys):
    assert main(["--policy", str(exported), "--robot", "simulated", "--where"]) == 0
    assert "tool at 0.5" in capsys.readouterr().out


def test_a_full_disk_stops_the_arm_and_says_so(exported, tmp_path, capsys):
    """Every write to /dev/full fails as on a full disk."""
    log_file = tmp_path / "log.jsonl"
    opened = Path.open

    def open_full(path: Path, *arguments, **named):
        return opened(Path("/dev/full"), "w") if path == log_file else opened(path, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", open_full)
        assert main(["--policy", str(exported), "--robot", "simulated", "--log", str(log_file)]) == 2
    assert f"log cannot be written: {log_file} (No space left on device)" in capsys.readouterr().err


def test_a_disk_that_is_full_in_motion_stops_the_arm_and_says_so(exported, tmp_path):
    """A limit of the size of files acts as a disk that is full after 40,000 bytes of log."""
    command = command_line(exported, "simulated")
    log_file = tmp_path / "log.jsonl"
    done = subprocess.run(
        [*command, "--log", str(log_file)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
        capture_output=True,
        text=True,
        timeout=60.0,
    )
    assert done.returncode == STOPPED, done.stderr
    assert re.search(r"stopped: log cannot be written: .*File too large\); at rest 0\.\d+ s later", done.stderr)
    assert len(list(LogReader(log_file).steps())) > 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--robot", "simulated", "--task", "Franka-Erase"], "the policy is of task Franka-Test, not Franka-Erase"),
        (["--robot", "simulated", "--speed", "1.5"], "--speed is 1.5; it must be above 0 and at most 1"),
        (["--robot", "simulated", "--seconds", "nan"], "--seconds is nan"),
        (["--robot", "simulated", "--model", "prior"], "no deterministic ONNX model 'prior'"),
        (["--robot", "simulated", "--table-height", "20"], "--table-height is 20 m; it must be -0.5 to 0.5 m"),
        (["--robot", "simulated", "--table-height", "0.2"], "at home the tool is at"),
        (["--robot", "simulated", "--board-height", "0.02"], "knows of no board"),
        (["--robot", "simulated", "--marks", "marks.csv"], "wipes nothing"),
        (["--robot", "simulated", "--seconds", "120"], "--seconds is 120; it must be above 0 and at most 119"),
        (["--robot", "simulated", "--where", "--seconds", "nan"], "--seconds is nan"),
        (["--robot", "simulated", "--dry-run", "--recover"], "--dry-run changes nothing on the arm"),
        (["--robot", "127.0.99.1", "--dry-run"], "cannot connect to 127.0.99.1"),
        (["--robot", "192.0.2.1", "--dry-run"], "how high is the table above the arm's base?"),
        (["--robot", "127.0.99.1"], "the dead-man key needs a terminal"),
        (["--replay", "none.jsonl"], "log cannot be read: none.jsonl"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(exported, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["--policy", str(exported), *arguments]) == 2
    said = capsys.readouterr().err.replace(WARNING, "")
    assert message in said and said.count("\n") == 1


def test_a_program_in_the_background_leads_a_simulated_arm_and_lets_the_terminal_alone(exported):
    with Terminal() as terminal:
        command = command_line(exported, "simulated", "--seconds", "2")
        terminal.type((shlex.join(command) + " &\n").encode())
        time.sleep(3.0)
        terminal.type(b"q\n")  # the shell's, not a key that stops the arm
        assert terminal.wait_for("guard's looks at the arm", 60.0), terminal.shown
        terminal.type(b"wait; stty -a | tr ' ' '\\n' | grep -x -- isig\n")
        assert terminal.wait_for("\nisig", 30.0), terminal.shown


def test_an_output_that_is_not_read_any_more_stops_the_arm(exported, tmp_path):
    """As with `| head -1`."""
    log_file = tmp_path / "log.jsonl"
    command = command_line(exported, "simulated", "--log", str(log_file))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None and program.stderr is not None
        program.stdout.readline()
        program.stdout.close()
        said = program.stderr.read()
    assert program.returncode == STOPPED and "is not read any more" in said and "Traceback" not in said
    end = LogReader(log_file).end
    assert end is not None and "BrokenPipeError" in end["stopped"]["reason"]


def test_an_output_to_a_full_disk_stops_the_arm_and_says_so(exported, tmp_path):
    """As with `> log.txt` on a disk that is full."""
    log_file = tmp_path / "log.jsonl"
    command = command_line(exported, "simulated", "--log", str(log_file))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=100.0)
    assert done.returncode == STOPPED and "Traceback" not in done.stderr
    assert "error: what this program prints cannot be written ([Errno 28] No space left on device)" in done.stderr
    end = LogReader(log_file).end
    assert end is not None and "No space left" in end["stopped"]["reason"]


def test_a_program_that_is_asked_to_end_while_it_connects_leaves_no_log(exported, tmp_path):
    """An empty one would keep the next run from the same name. Nothing ever answers at this address."""
    log_file = tmp_path / "log.jsonl"
    with socket.create_server(("127.0.77.9", 1337)):
        command = command_line(exported, "127.0.77.9", "--dry-run", "--log", str(log_file))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            while not log_file.exists():
                time.sleep(0.02)
            time.sleep(0.3)
            program.send_signal(signal.SIGTERM)
            assert program.wait(30.0) == 130
    assert not log_file.exists()


@pytest.mark.parametrize("way", ["end", "kill"])
def test_the_terminal_is_as_before_after_a_program_at_a_shell(exported, way):
    with Terminal() as terminal:
        command = command_line(exported, "simulated", "--seconds", "3")
        terminal.type(b"stty -a > /dev/null; stty\n")
        terminal.run(command)
        assert terminal.wait_for(" 0 s  tool at", 60.0), terminal.shown
        if way == "kill":
            (program,) = (p for p in descendants(terminal.shell_pid) if "-m mereq_deploy --policy" in command_of(p))
            os.kill(program, signal.SIGKILL)
        time.sleep(0.2 if way == "kill" else 5.0)
        terminal.type(b"stty -a | tr ' ;' '\\n\\n' | grep -xc -e icanon -e echo -e isig -e ixon -e iexten\n")
        assert terminal.wait_for("\n5", 30.0), terminal.shown


def test_a_question_without_an_answer_is_a_no(exported):
    """Ctrl-D at the question whether the arm may go faster."""
    with Terminal() as terminal:
        terminal.run(
            [sys.executable, "-m", "mereq_deploy", "--policy", str(exported), "--robot", "127.0.99.1", "--speed", "1"]
        )
        assert terminal.wait_for("Go on?", 60.0)
        terminal.type(b"\x04")
        assert terminal.exit_status(60.0) == 2 and "error: not confirmed" in terminal.shown


def test_a_remote_shell_is_refused(exported):
    """In a real terminal: a key that was let go may count as held where characters come late."""
    with Terminal() as terminal:
        command = command_line(exported, "simulated", "--dead-man")
        terminal.type(b"export SSH_CONNECTION=1\n")
        terminal.run(command)
        assert terminal.exit_status(60.0) == 2
        assert "keys may come late" in " ".join(terminal.shown.split())


UNDER_TMUX = """
import sys
from pathlib import Path
from mereq_deploy.simulated.terminal import Terminal
Path("/proc/self/comm").write_text("tmux")
ask = "from mereq_deploy.keyboard.remote import late_keyboard as late; print('asked:', late())"
with Terminal() as terminal:
    terminal.run([sys.executable, "-c", ask])
    terminal.wait_for("\\nasked:", 30.0)
    terminal.exit_status(30.0)
    print(terminal.shown)
"""


def test_a_shell_of_a_test_has_no_multiplexer_among_its_ancestors():
    """Who runs the tests in tmux or over ssh sees what the others see."""
    shown = subprocess.run([sys.executable, "-c", UNDER_TMUX], capture_output=True, text=True, timeout=100, check=True)
    assert "\nasked: None" in shown.stdout.replace("\r", "")


@pytest.mark.parametrize("damage", ["cut", "no start", "other shape", "no object", "deep", "no reading"])
def test_a_damaged_log_is_told_in_one_line(exported, tmp_path, capsys, damage):
    lines = {
        "cut": ['{"kind": "start", "task": "Franka-Test"'],
        "no start": ['{"kind": "step"}\n'],
        "other shape": ['["start"]\n'],
        "no object": ["null\n"],
        "deep": ["[" * 100_000 + "\n"],
        "no reading": ['{"kind": "start", "task": "Franka-Test", "marks": null}\n', '{"kind": "step", "step": 0}\n'],
    }[damage]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(lines))
    assert main(["--policy", str(exported), "--replay", str(log)]) == 2
    said = capsys.readouterr().err
    assert "log" in said and said.count("\n") == 1


def test_a_damaged_model_moves_nothing(exported, capsys):
    (exported / "policy.onnx").write_bytes(b"something else")
    assert main(["--policy", str(exported), "--robot", "simulated"]) == 2
    assert "not the one that was exported" in capsys.readouterr().err
