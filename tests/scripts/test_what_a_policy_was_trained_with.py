# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""All that a run was trained with is carried, and what only its machine had is not.

Runs are put together here instead of trained: what counts is what their files say.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mereq_algo.networks import CheckpointError, load_checkpoint, save_checkpoint
from mereq_algo.records import RunFolder
from mereq_deploy.contract import Contract
from mereq_lab.opening import merged_settings, resolve_for, with_person_of_run
from mereq_lab.policies import find_policy
from mereq_tasks.arguments import TaskUsageError, add_task_args, parse_task_args
from mereq_tasks.launch import settings_of
from mereq_tasks.meaning import policy_meaning
from mereq_tasks.shipped import shipped_policy

from .conftest import run_script

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]

TASK = "Franka-Erase"

SUMMARY = {
    **{"task": TASK, "theta": {}, "method": "mereq", "seed": 0, "status": "converged", "rounds": 1},
    **{"expert_samples": [9], "intervention_rate": [0.1], "expert_return_gap_closed": 0.5},
}

WORKSPACE = "[[0.34,-0.26,-0.05],[0.66,0.26,0.12]]"
GAINS = "env.actions.tool.controller_cfg"

MEANINGS = {
    "rate": (["env.decimation=10"], "rate_hz"),
    "step": (["env.actions.tool.step_size=[0.02,0.02,0.02]"], "actions.tool.step_size"),
    "stiffness": (
        [f"{GAINS}.motion_stiffness_task=[300.0,300.0,300.0,50.0,50.0,50.0]"],
        "actions.tool.controller_cfg.motion_stiffness_task",
    ),
    "damping": (
        [f"{GAINS}.motion_damping_ratio_task=[1.2,1.2,1.2,0.2,0.2,0.2]"],
        "actions.tool.controller_cfg.motion_damping_ratio_task",
    ),
    "scale": (["env.observations.policy.tool_position.scale=4.0"], "observations.tool_position.scale"),
}
"""Settings that change what actions and observations mean, and the path of what differs."""

CONTRACTS = {
    "controller's rate": (["env.sim.dt=0.005", "env.decimation=10"], "env.sim.dt=0.005"),
    "workspace": ([f"env.actions.tool.workspace={WORKSPACE}"], f"env.actions.tool.workspace={WORKSPACE}"),
    "joint damping": (["env.scene.robot.actuators.arm.damping=3.0"], "env.scene.robot.actuators.arm.damping=3.0"),
    "home": (
        ["env.scene.robot.init_state.joint_pos.fr3_joint1=0.05"],
        "env.scene.robot.init_state.joint_pos.fr3_joint1=0.05",
    ),
    "law of the marks": (["env.commands.marks.erase_force=6.0"], "env.commands.marks.erase_force=6.0"),
}
"""Settings that change the contract of an exported policy alone, and how they are shown."""

MACHINE = ["env.sim.device=cuda:0", "env.scene.num_envs=12", "env.seed=3", "env.viewer.eye=[1.0,1.0,1.0]"]


@functools.cache
def env_params(*settings: str) -> dict[str, Any]:
    return settings_of(TASK, "--device", "cpu", *settings).env_cfg.to_dict()


def written(folder: Path, settings: list[str], tells: bool = True) -> RunFolder:
    """A run with these settings, whose policy file tells them or is of an earlier version."""
    run = RunFolder(folder)
    of_env = [setting for setting in settings if not setting.startswith("agent.") and setting not in MACHINE]
    run.write_params("arguments", {"settings": settings, "prior": "prior"})
    run.write_params("env", env_params(*of_env))
    policy, critic, info = load_checkpoint(shipped_policy(TASK, "prior"))
    told = {"settings": settings, "meaning": policy_meaning(env_params(*of_env))}
    nothing = {"settings": None, "meaning": None}
    extra = {"method": "mereq", "seed": 0, "round": 1, "theta": {}}
    info = dataclasses.replace(info, extra=extra, **(told if tells else nothing))
    save_checkpoint(run.policy_file, policy, critic, info)
    for name in ("prior", "expert"):
        run.keep_policy(name, shipped_policy(TASK, name).read_bytes())
    run.write_summary(SUMMARY)
    return run


@pytest.fixture
def resolved() -> Callable[..., Any]:
    """What a task is opened with for a policy."""

    def resolve(policy: Path, *overrides: str, **options: Any) -> Any:
        args = parse_task_args(with_task_args(), ["--task", TASK, "--device", "cpu"])[0]
        source = find_policy(TASK, str(policy))
        return resolve_for({"it": source}, args, overrides, **options)

    return resolve


def with_task_args() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add_task_args(parser)
    return parser


@pytest.mark.parametrize("tells", [True, False], ids=["", "earlier version"])
@pytest.mark.parametrize("what", [*MEANINGS, *CONTRACTS, "physics"])
def test_each_setting_of_a_run_is_applied(what, tells, resolved, tmp_path):
    settings = {**MEANINGS, **CONTRACTS, "physics": (["physics=newton_mjwarp"], "")}[what][0]
    run = written(tmp_path, settings, tells)
    found = resolved(run.path)
    assert list(found.settings) == settings
    assert policy_meaning(found.env_cfg.to_dict()) == policy_meaning(env_params(*settings))


@pytest.mark.parametrize("tells", [True, False], ids=["", "earlier version"])
@pytest.mark.parametrize("what", MEANINGS)
def test_the_tasks_own_meaning_is_refused(what, tells, resolved, tmp_path):
    """The task's own value on the command line, where the run had another."""
    settings, path = MEANINGS[what]
    run = written(tmp_path, settings, tells)
    own = policy_meaning(env_params())
    values = {"rate": "5"}
    part, _, name = path.partition(".")
    value = values.get(what) or json.dumps(own[part][name], separators=(",", ":"))
    with pytest.raises(TaskUsageError, match=r"was trained at .* and would act at") as error:
        resolved(run.path, f"{settings[0].partition('=')[0]}={value}")
    assert path in str(error.value)


@pytest.mark.parametrize("what", CONTRACTS)
@pytest.mark.parametrize("source", ["run", "run of an earlier version", "copied file", "prior"])
def test_an_arm_is_driven_as_in_training_or_not_at_all(what, source, refusal, tmp_path):
    """Here the command line changes what the contract says."""
    run = written(tmp_path / "run", [], tells=source != "run of an earlier version")
    policy: Any = {"prior": "prior", "copied file": tmp_path / "copy.safetensors"}.get(source, run.path)
    shutil.copy(run.policy_file, tmp_path / "copy.safetensors")
    settings, shown = CONTRACTS[what]
    options = ["--task", TASK, "--run", policy, "--output", tmp_path / "out"]
    line = refusal("export_policy.py", *options, *settings)
    trained_with, _, exported_with = line.partition("would be exported with")
    name = shown.partition("=")[0]
    assert name in trained_with and shown not in trained_with and shown in exported_with
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("what", CONTRACTS)
def test_a_task_that_has_changed_since_exports_no_earlier_run(what, refusal, tmp_path):
    """The same from the other side: what the run had was the task's own, and the task has another by now."""
    settings, shown = CONTRACTS[what]
    run = written(tmp_path / "run", settings, tells=False)
    run.write_params("arguments", {"settings": [], "prior": "prior"})
    line = refusal("export_policy.py", "--task", TASK, "--run", run.path, "--output", tmp_path / "out")
    assert shown in line.partition("would be exported with")[0]
    assert not (tmp_path / "out").exists()


def test_the_contract_of_an_exported_run_has_all_of_its_settings(tmp_path):
    alone = [setting for found, _ in (*CONTRACTS.values(), *MEANINGS.values()) for setting in found]
    # At 200 physics steps a second 20 of them are an action at 10 Hz.
    settings = ["env.decimation=20", *(setting for setting in alone if setting != "env.decimation=10")]
    run = written(tmp_path / "run", settings)
    result = run_script("export_policy.py", "--run", str(run.path), "--output", str(tmp_path / "out"))
    assert result.returncode == 0, result.stderr
    contract = Contract.load(tmp_path / "out")
    told = json.loads((tmp_path / "out" / "contract.json").read_text())
    controller, (action,) = told["controller"], told["action"]
    assert contract.rate_hz == pytest.approx(10.0) and controller["rate_hz"] == pytest.approx(200.0)
    assert controller["stiffness"][:3] == [300.0] * 3 and controller["joint_damping"] == 3.0
    assert controller["damping"][0] == pytest.approx(2 * 1.2 * 300.0**0.5)
    assert action["step_size"] == [0.02] * 3 and action["workspace_low"] == json.loads(WORKSPACE)[0]
    assert told["home"]["fr3_joint1"] == pytest.approx(0.05) and told["parameters"]["marks"]["erase_force"] == 6.0
    scales = {term["name"]: term["scale"] for term in told["observation"]}
    assert scales["tool_position"] == [4.0] * 3 and set(settings) <= set(told["source"]["settings"])


KEEPING = {
    "export": ("export_policy.py", "--output", "{out}", "--run"),
    "train_mereq": ("train_mereq.py", "--logs", "{out}", "--prior"),
    "train_policy": ("train_policy.py", "--reward", "prior", "--output", "{out}.safetensors", "--start"),
    "supervise": ("supervise.py", "--recordings", "{out}", "--policy"),
}


@pytest.mark.parametrize("kept", ["prior", "expert"])
@pytest.mark.parametrize("opening", KEEPING)
def test_what_a_run_used_is_not_taken_for_what_it_learned(opening, kept, refusal, tmp_path):
    """Prior and expert were trained at 20 Hz with 5 cm, and the run used them at 10 Hz with 2 cm."""
    run = written(tmp_path / "run", [*MEANINGS["rate"][0], *MEANINGS["step"][0]])
    script, *arguments = (part.format(out=tmp_path / "out") for part in KEEPING[opening])
    line = refusal(script, "--task", TASK, *arguments, run.kept_policy(kept) or "")
    assert "was trained at 20 Hz, tool.step_size [0.05 0.05 0.05], and would act at 10 Hz" in line
    assert f"the run {run.path} used it so" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kept", ["prior", "expert"])
def test_what_a_run_used_is_shown_as_the_run_used_it(kept, resolved, tmp_path, capsys):
    settings = [*MEANINGS["rate"][0], *MEANINGS["step"][0]]
    run = written(tmp_path, settings)
    file = run.kept_policy(kept)
    assert list(resolved(file, shows=True).settings) == settings
    assert "note: it was trained at 20 Hz" in capsys.readouterr().out
    with pytest.raises(TaskUsageError, match="was trained at 20 Hz"):
        resolved(file, "env.decimation=4", shows=True)
    # As it was trained it may be shown and learned from.
    own = ("env.decimation=5", "env.actions.tool.step_size=[0.05,0.05,0.05]")
    assert list(resolved(file, *own).settings) == list(own)


def test_a_copied_file_that_does_not_tell_is_refused(refusal, tmp_path):
    run = written(tmp_path / "run", MEANINGS["rate"][0], tells=False)
    copied = shutil.copy(run.policy_file, tmp_path / "copied.safetensors")
    assert find_policy(TASK, str(run.path)).settings == MEANINGS["rate"][0]
    with pytest.raises(CheckpointError, match="name the run folder"):
        _ = find_policy(TASK, str(copied)).settings
    for script, *arguments in (("play.py", "--policy"), *KEEPING.values(), ("compare.py", "--policies")):
        arguments = [part.format(out=tmp_path / "out") for part in arguments]
        line = refusal(script, "--task", TASK, *arguments, copied)
        assert "policy file does not say what it was trained with" in line and not (tmp_path / "out").exists()


def test_what_the_machine_had_stays_with_it(resolved, tmp_path):
    one = written(tmp_path / "one", [*MACHINE, *MEANINGS["rate"][0]])
    assert list(resolved(one.path).settings) == MEANINGS["rate"][0]
    copied = shutil.copy(one.policy_file, tmp_path / "copied.safetensors")
    assert list(resolved(copied).settings) == MEANINGS["rate"][0]
    other = written(tmp_path / "other", ["env.scene.num_envs=64", *MEANINGS["rate"][0]])
    sources = {run.path.name: find_policy(TASK, str(run.path)) for run in (one, other)}
    assert merged_settings(sources, []) == MEANINGS["rate"][0]


def test_the_person_of_a_run_watches_its_policy(tmp_path, capsys):
    patience = "agent.person.hysteresis.patience_takeover"
    run = written(tmp_path, [f"{patience}=9", "agent.max_rounds=1"])
    sources = {"it": find_policy(TASK, str(run.path))}
    args = parse_task_args(with_task_args(), ["--task", TASK, "--device", "cpu"])[0]
    for given, steps in (([], 9), ([f"{patience}=2"], 2)):
        settings = with_person_of_run(sources, given)
        found = resolve_for(sources, args, settings)
        assert found.agent["person"]["hysteresis"]["patience_takeover"] == steps
    assert f"person: the task's, with {patience}=9 of the run" in capsys.readouterr().out


def test_the_policies_of_a_task_are_trained_with_the_tasks_own_settings(refusal, tmp_path):
    before = shipped_policy(TASK, "prior").read_bytes()
    run = written(tmp_path, MEANINGS["rate"][0])
    for arguments in (["env.decimation=10"], ["--start", run.path]):
        line = refusal("train_policy.py", "--task", TASK, "--reward", "prior", *arguments)
        assert "not with env.decimation=10" in line and "--output FILE" in line
    assert shipped_policy(TASK, "prior").read_bytes() == before


def test_a_policy_of_the_task_with_settings_says_them(monkeypatch, refusal, tmp_path):
    policy = written(tmp_path / "run", MEANINGS["rate"][0]).policy_file
    (tmp_path / TASK).mkdir()
    shutil.copy(policy, tmp_path / TASK / "prior.safetensors")
    monkeypatch.setattr("mereq_tasks.shipped.POLICIES", tmp_path)
    line = refusal("play.py", "--task", TASK, "--policy", "prior")
    assert "it was trained with env.decimation=10" in line and "has changed since" not in line


def test_a_run_that_goes_on_meets_the_task_that_it_began_with(refusal, tmp_path):
    run = written(tmp_path / "run", [])
    env = yaml.safe_load((run.path / "params" / "env.yaml").read_text())
    env["actions"]["tool"]["workspace"] = json.loads(WORKSPACE)
    run.write_params("env", env)
    kept = {"seed": 0, "num_envs": 4, "device": "cpu", "prior": "prior", "settings": []}
    run.write_params("arguments", kept)
    line = refusal("train_mereq.py", "--task", TASK, "--resume", run.path)
    assert f"changed since the run began: env.actions.tool.workspace={WORKSPACE}, now env.actions.tool" in line
