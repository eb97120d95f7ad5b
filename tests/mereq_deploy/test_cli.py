# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""`deploy.py` as a user types it, but for the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mereq_deploy.cli import STOPPED, main
from mereq_deploy.contract import Contract
from mereq_deploy.runtime import LogReader
from mereq_deploy.safety.limits import DEFAULT_FILE

pytestmark = [pytest.mark.timeout(120), pytest.mark.realtime]


@pytest.fixture
def exported(arm_export: Path) -> Path:
    contract = Contract.load(arm_export)
    # A network that was never trained asks for less than what friction in the joints holds.
    contract.action[0].step_size[:2] = [4.0, 4.0]  # type: ignore[union-attr]
    contract.save(arm_export)
    return arm_export


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--robot", "simulated", "--task", "Franka-Erase"], "the policy is of task Franka-Test, not Franka-Erase"),
        (["--robot", "simulated", "--speed", "1.5"], "--speed is 1.5; it must be above 0 and at most 1"),
        (["--robot", "simulated", "--seconds", "nan"], "--seconds is nan"),
        (["--robot", "simulated", "--model", "prior"], "no deterministic ONNX model 'prior'"),
        (["--robot", "127.0.99.1", "--dry-run"], "cannot connect to 127.0.99.1"),
        (["--robot", "127.0.99.1"], "the dead-man key needs a terminal"),
        (["--replay", "none.jsonl"], "log cannot be read: none.jsonl"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(exported, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["--policy", str(exported), *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_damaged_model_moves_nothing(exported, capsys):
    (exported / "policy.onnx").write_bytes(b"something else")
    assert main(["--policy", str(exported), "--robot", "simulated"]) == 2
    assert "not the one that was exported" in capsys.readouterr().err
