# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

import contextlib
import json
import math
import subprocess
import sys

import jsonschema
import numpy as np
import onnxruntime
import pytest

from mereq_deploy.action import ActionMapper
from mereq_deploy.contract import SCHEMA_FILE, Contract, ContractError
from mereq_deploy.observation import ObservationBuilder
from mereq_deploy.policy import OnnxPolicy
from mereq_deploy.state import ArmState, Scene
from mereq_deploy.terms import MissingStateError

DOWN = np.array([1.0, 0.0, 0.0, 0.0])


def arm(position=(0.5, 0.0, 0.1), velocity=(0.0, 0.0, 0.0)) -> ArmState:
    return ArmState(np.array(position), np.array(velocity), DOWN, np.zeros(3))


def scene(**kwargs) -> Scene:
    state = arm(**kwargs)
    return Scene(state, state.tool_position)


def test_a_contract_is_read_as_it_was_written_and_fits_its_schema(values, export_folder):
    contract = Contract.load(export_folder)
    assert contract == Contract.from_dict(values)
    assert (contract.num_obs, contract.num_actions) == (6, 3)
    jsonschema.validate(json.loads((export_folder / "contract.json").read_text()), json.loads(SCHEMA_FILE.read_text()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not a contract"),
        ({"version": 2}, "version 2, this program reads 1"),
        ({"home": None, "colour": "red"}, "damaged"),
        ({"rate_hz": 0.0}, "rate_hz is 0.0"),
        ({"rate_hz": math.nan}, "rate_hz is nan"),
        ({"models": {}}, "no model 'policy'"),
        (
            {
                "tool": {
                    "name": "eraser",
                    "frame": "hand",
                    "point": [0.0, 0.1],
                    "velocity_point": [0.0] * 3,
                    "mass": 0.0,
                }
            },
            "tool: point",
        ),
        ({"action": [{"type": "dance", "name": "x"}]}, "damaged"),
    ],
)
def test_what_could_move_the_arm_anywhere_is_refused(values, change, message):
    with pytest.raises(ContractError, match=message):
        Contract.from_dict({**values, **change})


def test_a_number_that_is_not_finite_is_refused(values):
    values["action"][0]["step_size"][1] = math.inf
    with pytest.raises(ContractError, match="action tool: step_size must be 3 finite numbers"):
        Contract.from_dict(values)


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("controller", "stiffness", [400.0, 400.0, -400.0, 50.0, 50.0, 50.0], "stiffness must be above 0"),
        ("controller", "stiffness", [4e4, 400.0, 400.0, 50.0, 50.0, 50.0], "stiffness must be above 0 and at most"),
        ("controller", "damping", [60.0, 60.0, 60.0, 3.0, 0.0, 3.0], "damping must be above 0"),
        ("controller", "joint_damping", -1.0, "joint_damping is -1.0"),
        ("tool", "mass", 5.0, "mass is 5.0 kg"),
        ("home", "fr3_joint1", math.inf, "home: fr3_joint1"),
    ],
)
def test_a_spring_or_a_load_that_no_arm_should_have_is_refused(values, part, name, value, message):
    values[part][name] = value
    with pytest.raises(ContractError, match=message):
        Contract.from_dict(values)


@pytest.mark.parametrize(
    ("widths", "is_fine"), [((0.08, 0.035), True), ((0.3, 0.035), False), ((0.03, 0.035), False), ((0.08, -0.1), False)]
)
def test_a_hand_opens_as_wide_as_a_hand(values, widths, is_fine):
    grip = {"type": "gripper", "name": "grip", "width": 1, "unit": "m"}
    values["action"].append({**grip, "open_width": widths[0], "closed_width": widths[1]})
    with contextlib.nullcontext() if is_fine else pytest.raises(ContractError, match="are not of a hand"):
        Contract.from_dict(values)


@pytest.mark.parametrize("missing", ["task", "observation", "controller", "action"])
def test_a_missing_part_is_named(values, missing):
    del values[missing]
    with pytest.raises(ContractError, match=missing):
        Contract.from_dict(values)


def test_a_changed_or_missing_model_file_is_refused(export_folder):
    model = export_folder / "policy.onnx"
    content = bytearray(model.read_bytes())
    content[100] ^= 1
    model.write_bytes(content)
    with pytest.raises(ContractError, match="not the one that was exported"):
        Contract.load(export_folder)
    model.unlink()
    with pytest.raises(ContractError, match=r"cannot be read: .*policy\.onnx"):
        Contract.load(export_folder)


def test_policy_is_that_of_onnxruntime(export_folder):
    policy = OnnxPolicy(export_folder, Contract.load(export_folder))
    observation = np.linspace(-1.0, 1.0, 6, dtype=np.float32)
    (wanted,) = onnxruntime.InferenceSession(export_folder / "policy.onnx").run(
        None, {"observation": observation[None]}
    )
    np.testing.assert_array_equal(policy(observation), np.asarray(wanted)[0])


def test_a_network_of_another_width_is_refused(values, export_folder):
    values["observation"].pop()
    with pytest.raises(ContractError, match="maps 6 to 3 numbers, the contract says 3 to 3"):
        OnnxPolicy(export_folder, Contract.from_dict(values))


def test_observation_is_clipped_scaled_and_judged(values):
    builder = ObservationBuilder(Contract.from_dict(values))
    # (0.9 - 0.5, 0.2, 0.7 clipped to 0.5) times 2, and the velocity times 2.
    found = builder.build(scene(position=(0.9, 0.2, 0.7), velocity=(0.1, -0.2, 0.3)))
    np.testing.assert_allclose(found, [0.8, 0.4, 1.0, 0.2, -0.4, 0.6], rtol=1e-6)
    assert found.dtype == np.float32
    assert builder.out_of_range(found) == []
    assert builder.out_of_range(builder.build(scene(velocity=(0.0, 1.1, 0.0)))) == ["tool_velocity"]
    assert builder.out_of_range(builder.build(scene(position=(math.nan, 0.0, 0.0)))) == ["tool_position"]


def test_terms_that_cannot_be_measured_are_told(values):
    values["observation"][1]["kind"] = "object_velocity"
    with pytest.raises(MissingStateError, match="where the object is"):
        ObservationBuilder(Contract.from_dict(values)).build(scene())
    values["observation"][1]["kind"] = "mood"
    with pytest.raises(ContractError, match="unknown kind 'mood'"):
        ObservationBuilder(Contract.from_dict(values))


def test_a_step_stays_in_the_workspace(values):
    mapper = ActionMapper(Contract.from_dict(values))
    target = mapper.target(np.array([0.5, -1.0, 3.0]), arm(position=(0.5, 0.0, 0.1)))
    np.testing.assert_allclose(target.position, [0.525, -0.05, 0.15])
    np.testing.assert_allclose(target.orientation, DOWN)
    np.testing.assert_allclose(mapper.target(np.ones(3), arm((0.69, 0.0, 0.29))).position, [0.7, 0.05, 0.3])
    with pytest.raises(ContractError, match="shape"):
        mapper.target(np.zeros(4), arm())


def test_the_runtime_needs_neither_simulator_nor_trainer():
    imported = "import mereq_deploy.policy, mereq_deploy.action, mereq_deploy.observation, sys; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", imported], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"torch", "isaaclab", "mereq_algo", "mereq_tasks", "warp", "scipy", "gymnasium"}
    assert heavy.isdisjoint(names)
