# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A policy acts at the rate and with the steps that it was trained with, whichever command opens a task for it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from mereq_algo.meaning import PolicyMeaning
from mereq_algo.networks import load_checkpoint, save_checkpoint
from mereq_algo.records import RunFolder
from mereq_deploy.contract import Contract
from mereq_lab.commands.live_process import export_run
from mereq_tasks.meaning import policy_meaning
from mereq_tasks.shipped import shipped_policy

from .conftest import OPTIONS, TINY, command, run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600), pytest.mark.xdist_group("carried_whole")]

STEP = [0.02, 0.02, 0.02]
CHANGED = ["env.decimation=10", f"env.actions.tool.step_size={json.dumps(STEP)}".replace(" ", "")]
"""10 Hz and 2 cm, where the task has 20 Hz and 5 cm."""

SAID = "actions: 10 Hz, tool.step_size [0.02 0.02 0.02]"


@pytest.fixture(scope="module")
def changed_run(tmp_path_factory) -> Path:
    """A run with two changed settings."""
    logs = tmp_path_factory.mktemp("logs")
    settings = [setting for setting in TINY if "max_rounds" not in setting]
    arguments = ["--logs", str(logs), "--no-video", *settings, "agent.max_rounds=1", *CHANGED]
    result = run_script("train_mereq.py", *OPTIONS, *arguments)
    assert result.returncode == 0, result.stderr
    assert "note: prior was trained at 20 Hz" in result.stdout and SAID in result.stdout
    (folder,) = (logs / "Franka-Erase").iterdir()
    return folder


@pytest.fixture(scope="module")
def changed_file(changed_run, tmp_path_factory) -> Path:
    """A policy that was trained on from that run's, without a word of its settings."""
    file = tmp_path_factory.mktemp("policies") / "mine.safetensors"
    options = ["--reward", "prior", "--start", str(changed_run), "--steps", "12", "--episodes", "2", "--num_envs", "8"]
    result = run_script("train_policy.py", *options, "--output", str(file), "agent.sac.learning_starts=8")
    assert result.returncode == 0, result.stderr
    assert SAID in result.stdout
    return file


def assert_changed(meaning: PolicyMeaning) -> None:
    assert meaning.rate_hz == pytest.approx(10.0) and meaning.actions["tool.step_size"] == STEP


def test_finish_and_export_writes_the_runs_own_rate_and_steps(changed_run):
    """The button of the page, and ``export_policy.py --run``, which it calls."""
    export_run(RunFolder.open(changed_run))
    contract = Contract.load(changed_run / "export")
    assert contract.rate_hz == pytest.approx(10.0)
    exported = json.loads((changed_run / "export" / "contract.json").read_text())
    assert exported["action"][0]["step_size"] == STEP and set(CHANGED) <= set(exported["source"]["settings"])


@pytest.mark.parametrize("policy", ["changed_run", "changed_file"])
def test_play_says_what_it_uses(policy, request, tmp_path):
    figures = tmp_path / "figures.json"
    place = request.getfixturevalue(policy)
    options = ["--episodes", "2", "--deterministic", "--json", str(figures)]
    result = run_script("play.py", "--policy", str(place), *options, "env.episode_length_s=1")
    assert result.returncode == 0, result.stderr
    told = json.loads(figures.read_text())
    assert told["rate_hz"] == pytest.approx(10.0) and told["step_sizes"] == {"tool.step_size": STEP}
    assert set(CHANGED) <= set(told["settings"]) and "env.episode_length_s=1" in told["settings"]
    assert told["actions"] == "mean" and "actions mean" in " ".join(result.stdout.split()) and SAID in result.stdout


def test_the_film_of_a_run_is_made_with_its_settings(changed_run):
    """``report.py --video`` and ``compare.py``, which it calls; prior and expert are those that the run used.

    What it is opened with is said before anything is drawn, which takes minutes.
    """
    said = said_until(SAID, command("report.py", str(changed_run), "--video", task=None))
    assert SAID in said and all(setting in said for setting in CHANGED)
    page = (changed_run / "report.html").read_text()
    assert "actions sampled, in simulation; an arm gets the mean action" in page


def said_until(text: str, arguments: list[str]) -> str:
    """What a program prints until it has said something; then it is interrupted."""
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if text in line:
                break
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    return said


def test_a_policy_that_is_trained_on_keeps_its_settings(changed_file):
    info = load_checkpoint(changed_file)[2]
    assert info.meaning is not None and set(CHANGED) <= set(info.settings or ())
    assert_changed(PolicyMeaning.from_dict(info.meaning))
    assert "actions sampled" in changed_file.with_suffix(".md").read_text()


def test_a_run_from_a_run_keeps_its_settings(changed_run, tmp_path):
    settings = [setting for setting in TINY if setting.startswith("agent.") and "max_rounds" not in setting]
    arguments = ["--prior", str(changed_run), "--logs", str(tmp_path), "--no-video", "agent.max_rounds=1", *settings]
    result = run_script("train_mereq.py", *OPTIONS, *arguments)
    assert result.returncode == 0, result.stderr
    (folder,) = (tmp_path / "Franka-Erase").iterdir()
    run = RunFolder.open(folder)
    assert set(CHANGED) <= set(run.read_settings())
    assert_changed(PolicyMeaning.from_dict(policy_meaning(run.read_params("env"))))
    found = load_checkpoint(run.policy_file)[2].meaning
    assert found is not None
    assert_changed(PolicyMeaning.from_dict(found))


def test_people_watch_it_as_it_was_trained(changed_run, tmp_path):
    arguments = ["--policy", str(changed_run), "--recordings", str(tmp_path / "recordings"), "--port", "0"]
    said = said_until("supervise at:", command("supervise.py", *arguments))
    assert SAID in said and "supervise at:" in said


OPENING = {
    "play": ("play.py", "--policy"),
    "export": ("export_policy.py", "--output", "{out}", "--run"),
    "compare": ("compare.py", "--output", "{out}", "--policies"),
    "supervise": ("supervise.py", "--recordings", "{out}", "--policy"),
    "train_policy": ("train_policy.py", "--reward", "prior", "--output", "{out}.safetensors", "--start"),
    "train_mereq": ("train_mereq.py", "--logs", "{out}", "--prior"),
}
"""Every command that opens a task for a policy; the policy comes last."""


@pytest.mark.parametrize(
    ("opening", "policy"),
    [(opening, "run") for opening in OPENING]
    + [("play", policy) for policy in ("policy in it", "copied file", "run of an earlier version")],
)
def test_a_setting_that_changes_what_actions_mean_is_refused(opening, policy, refusal, changed_run, tmp_path):
    run = RunFolder.open(changed_run)
    place = {"run": run.path, "policy in it": run.policy_file}.get(policy)
    if policy == "copied file":
        place = shutil.copy(run.policy_file, tmp_path / "copied.safetensors")
    elif policy == "run of an earlier version":
        place = tmp_path / "earlier"
        shutil.copytree(run.path, place)
        without_meaning(RunFolder(place).policy_file)
    script, *arguments = (part.format(out=tmp_path / "out") for part in OPENING[opening])
    line = refusal(script, "--task", "Franka-Erase", *arguments, place, "env.decimation=5")
    assert "was trained at 10 Hz, tool.step_size [0.02 0.02 0.02]" in line and "env.decimation=5" in line
    assert not (tmp_path / "out").exists()


def without_meaning(file: Path) -> None:
    policy, critic, info = load_checkpoint(file)
    save_checkpoint(file, policy, critic, dataclasses.replace(info, meaning=None, settings=None))


@pytest.mark.parametrize("opening", ["play", "export", "compare", "supervise"])
def test_the_policies_of_a_task_act_as_they_were_trained(opening, refusal, tmp_path):
    """Their files say nothing of it: they were trained with the task's own settings."""
    script, *arguments = (part.format(out=tmp_path / "out") for part in OPENING[opening])
    line = refusal(script, "--task", "Franka-Erase", *arguments, "prior", *CHANGED)
    assert "prior was trained at 20 Hz, tool.step_size [0.05 0.05 0.05], and would act at 10 Hz" in line


def test_policies_that_mean_different_things_are_not_compared(refusal, changed_run, tmp_path):
    other = shutil.copy(shipped_policy("Franka-Erase", "prior"), tmp_path / "other.safetensors")
    line = refusal(
        "compare.py", "--task", "Franka-Erase", "--output", tmp_path / "out", "--policies", f"a:{changed_run}", other
    )
    assert "a and other cannot run in one simulation" in line and "rate_hz 10 and 20" in line


def test_policies_with_different_settings_need_to_be_told_which(refusal, changed_run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(changed_run, other)
    arguments = RunFolder(other).read_params("arguments")
    arguments["settings"] = [setting.replace("s=1.5", "s=2") for setting in arguments["settings"]]
    (other / "params" / "arguments.yaml").write_text(yaml.safe_dump(arguments))
    policies = (f"a:{changed_run}", f"b:{other}")
    line = refusal("compare.py", "--task", "Franka-Erase", "--output", tmp_path / "out", "--policies", *policies)
    assert "a was trained with env.episode_length_s=1.5, b with env.episode_length_s=2: say which to take" in line


def test_the_runs_prior_is_played_as_the_run_used_it(changed_run):
    said = said_until(SAID, command("play.py", "--policy", str(RunFolder(changed_run).prior_file)))
    assert "note: " in said and "was trained at 20 Hz" in said and SAID in said


def test_the_runs_prior_is_exported_only_as_it_was_trained(refusal, changed_run, tmp_path):
    line = refusal("export_policy.py", "--run", changed_run, "--output", tmp_path / "out", "--with", "prior")
    assert "prior was trained at 20 Hz" in line and not (tmp_path / "out").exists()
