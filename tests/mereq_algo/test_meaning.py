# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a policy's actions and observations mean is compared number by number, and survives its file."""

from __future__ import annotations

import dataclasses
import json

import pytest

from mereq_algo.meaning import PolicyMeaning
from mereq_algo.networks import CheckpointInfo, load_checkpoint, save_checkpoint
from mereq_algo.records import TaskSpec
from mereq_tasks.meaning import policy_meaning

from .supervised_env import SPEC, trained

ROBOT = {
    "init_state": {"joint_pos": {"fr3_joint1": 0.0}},
    "actuators": {"arm": {"damping": 2.0}},
    "spawn": {"tool": "eraser"},
}
MARKS = {"tool_cfg": {"name": "robot"}, "erase_force": 5.0, "resampling_time_range": [1e9, 1e9]}
ENV = {
    "decimation": 5,
    "scene": {"robot": ROBOT},
    "commands": {"marks": MARKS},
    "sim": {"dt": 0.01},
    "actions": {"tool": {"step_size": (0.05, 0.05, 0.05), "yaw_step": None, "workspace": [[0.0], [1.0]]}},
    "observations": {
        "policy": {"ink": {"func": "mereq_tasks.erase.mdp:ink", "scale": 5.0, "noise": {"std": 1.0}}, "joint_ids": [1]}
    },
}
"""A configuration as Isaac Lab writes it, much shortened."""


def meaning(**changes) -> PolicyMeaning:
    return PolicyMeaning.from_dict(policy_meaning({**ENV, **changes}))


def test_rate_scale_and_layout_are_what_counts():
    found = meaning()
    assert found.rate_hz == pytest.approx(20.0)
    assert found.actions == {"tool.step_size": [0.05, 0.05, 0.05]}
    assert found.observations == {"ink.func": "ink", "ink.scale": 5.0}
    assert found.summary() == "20 Hz, tool.step_size [0.05 0.05 0.05]"


def test_a_rate_that_is_no_integer_is_kept():
    assert meaning(decimation=3).rate_hz == pytest.approx(100.0 / 3.0, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"decimation": 10}, "rate_hz 20 and 10"),
        ({"sim": {"dt": 0.02}}, "rate_hz 20 and 10"),
        ({"actions": {"tool": {"step_size": [0.02, 0.05, 0.05]}}}, "tool.step_size [0.05 0.05 0.05] and [0.02"),
        ({"actions": {"tool": {"step_size": [0.05] * 3, "yaw_step": 0.1}}}, "actions.tool.yaw_step none and 0.1"),
        ({"observations": {"policy": {"ink": {"func": "x:ink", "scale": 4.0}}}}, "observations.ink.scale 5 and 4"),
        ({"observations": {"policy": {"ink": {"func": "x:touched", "scale": 5.0}}}}, "ink.func ink and touched"),
    ],
    ids=str,
)
def test_what_differs_is_said(changes, told):
    (difference,) = meaning().differences(meaning(**changes))
    assert told in difference


def test_limits_noise_and_what_json_changes_do_not_count():
    narrower = {"tool": {"step_size": [0.05, 0.05, 0.05], "workspace": [[0.2], [0.8]]}}
    assert meaning().differences(meaning(actions=narrower)) == []
    read = PolicyMeaning.from_dict(json.loads(json.dumps(meaning().as_dict())))
    assert read == meaning() and meaning().differences(read) == []


def test_the_contract_has_settings_of_its_own():
    assert meaning().contract.values == {
        "sim.dt": 0.01,
        "actions.tool.workspace": [[0.0], [1.0]],
        "scene.robot.init_state.joint_pos.fr3_joint1": 0.0,
        "scene.robot.actuators.arm.damping": 2.0,
        "scene.robot.spawn.tool": "eraser",
        "commands.marks.erase_force": 5.0,
    }


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"sim": {"dt": 0.005}, "decimation": 10}, "sim.dt"),
        ({"actions": {"tool": {**ENV["actions"]["tool"], "workspace": [[0.0], [2.0]]}}}, "actions.tool.workspace"),
        ({"actions": {"tool": {**ENV["actions"]["tool"], "yaw_limits": [0.0, 1.0]}}}, "actions.tool.yaw_limits"),
        (
            {"scene": {"robot": {**ROBOT, "init_state": {"joint_pos": {"fr3_joint1": 0.1}}}}},
            "scene.robot.init_state.joint_pos.fr3_joint1",
        ),
        (
            {"scene": {"robot": {**ROBOT, "actuators": {"arm": {"damping": 3.0}}}}},
            "scene.robot.actuators.arm.damping",
        ),
        ({"commands": {"marks": {**MARKS, "erase_force": 6.0}}}, "commands.marks.erase_force"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_policy_learns_on_under_other_settings_of_the_contract_and_they_are_named(changes, path):
    other = meaning(**changes)
    assert meaning().differences(other) == []
    assert meaning().contract.differences(other.contract) == [path]
    assert PolicyMeaning.from_dict(json.loads(json.dumps(other.as_dict()))) == other


def test_what_would_open_a_task_so_is_said():
    slower = meaning(decimation=10, actions={"tool": {"step_size": [0.02, 0.05, 0.05]}})
    assert slower.against(meaning()) == [
        "10 Hz, here 20 Hz",
        "actions.tool.step_size [0.02 0.05 0.05], here [0.05 0.05 0.05]",
    ]
    assert slower.settings_for(meaning()) == ["env.decimation=10", "env.actions.tool.step_size=[0.02,0.05,0.05]"]
    uneven = dataclasses.replace(meaning(), rate_hz=30.0)
    assert uneven.settings_for(meaning()) == ["env.decimation=..."]


@pytest.mark.parametrize("values", [None, [], {}, {"rate_hz": "20"}, {"rate_hz": 0.0}, {"rate_hz": 1, "x": 1}, 3.0])
def test_something_else_is_refused(values):
    with pytest.raises(ValueError, match=r"meaning|rate"):
        PolicyMeaning.from_dict(values)


def test_a_policy_file_carries_it(tmp_path):
    spec = dataclasses.replace(SPEC, meaning=policy_meaning(ENV), settings=("env.decimation=5",))
    assert isinstance(spec, TaskSpec)
    policy = trained(0.0)
    save_checkpoint(tmp_path / "p.safetensors", policy.policy, policy.critic, spec.policy_info(0.1, {}))
    info = load_checkpoint(tmp_path / "p.safetensors")[2]
    assert info.meaning is not None and PolicyMeaning.from_dict(info.meaning) == meaning()
    assert info.settings == ["env.decimation=5"]
    assert CheckpointInfo("Linear", 0.1).meaning is None  # files of earlier versions do not tell
