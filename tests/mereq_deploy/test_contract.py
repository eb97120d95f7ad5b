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
from mereq_deploy.contract import SCHEMA_FILE, Contract, ContractError, checksum
from mereq_deploy.observation import ObservationBuilder
from mereq_deploy.policy import OnnxPolicy
from mereq_deploy.state import ArmState, Scene
from mereq_deploy.terms import MissingStateError

from .test_strokes import LAW

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
        ({"rate_hz": 0.001}, "rate_hz is 0.001 Hz; it must be 5 to 100 Hz"),
        ({"rate_hz": 1000.0}, "rate_hz is 1000.0 Hz"),
        ({"rate_hz": "20"}, "rate_hz is 20"),
        ({"rate_hz": True}, "rate_hz is True"),
        ({"episode_length_s": -1.0}, "episode_length_s is -1.0"),
        ({"models": {}}, "no model 'policy'"),
        ({"action": [{"type": "dance", "name": "x"}]}, "damaged"),
        ({"action": []}, "one tool step"),
        ({"observation": []}, "a name of its own"),
        ({"features": [1]}, "it must be text"),
        ({"theta": {"speed": math.inf}}, "theta of speed|damaged"),
        ({"theta": ""}, "theta is ''; it must be an object or null"),
        ({"parameters": None}, "parameters is None; it must be an object"),
        ({"parameters": {"marks": "x"}}, "parameters.marks is missing"),
        ({"versions": 3}, "versions is 3"),
        ({"source": {"figure": math.nan}}, "damaged"),
        ({"goal": "\ud800"}, "characters must be ones that can be printed"),
        ({"episode_length_s": 10**400}, "episode_length_s is 1000"),
        ({"home": {**dict.fromkeys((f"fr3_joint{i}" for i in range(1, 8)), 10**400)}}, "home: fr3_joint1"),
    ],
)
def test_what_could_move_the_arm_anywhere_is_refused(values, change, message):
    with pytest.raises(ContractError, match=message):
        Contract.from_dict({**values, **change})


DOWN_AND_BACK = [0.0, 0.0, 0.0, 1.0]
"""The hand's z axis points up."""


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        # stiffness without damping: 400 N/m and 3 kg swing with less than 20.8 N s/m
        ("controller", {"damping": [1.0, 1.0, 1.0, 3.0, 3.0, 3.0]}, "damping must be at least 20.8"),
        ("controller", {"damping": [60.0, 60.0, 60.0, 0.1, 3.0, 3.0]}, "damping must be at least 1.34"),
        (
            "controller",
            {"type": "joint_position"},
            "type is 'joint_position'; this program knows 'cartesian_impedance'",
        ),
        ("controller", {"gravity_compensated": False}, "gravity_compensated is False"),
        ("controller", {"gravity_compensated": 1}, "gravity_compensated is 1"),
        ("controller", {"rate_hz": 10.0}, "controller: rate_hz is 10.0"),
        ("tool", {"point": [0.0, 0.1]}, "tool: point"),
        ("tool", {"point": [0.0, 0.0, 0.46]}, "tool: point is .*0 to 0.3 m along it"),
        ("tool", {"point": [0.33, 0.0, 0.13]}, "tool: point is .*at most 0.15 m beside"),
        ("tool", {"point": [0.0, 0.0, -0.2]}, "tool: point"),
        ("tool", {"velocity_point": [0.0, 0.0, 0.29]}, "more than 0.15 m apart"),
        ("tool", {"frame": "fr3_link8"}, "frame is 'fr3_link8'; this program knows 'fr3_hand'"),
        ("tool", {"mass": math.nan}, "mass is nan"),
        ("home", {"fr3_joint4": 0.4}, "home: fr3_joint4 is 0.4 rad; it must be -3.077 to -0.1169"),
        ("home", {"fr3_joint8": 0.4}, "home has unknown fr3_joint8"),
        ("home", {"fr3_joint2": -0.5}, "outside the policy's workspace"),
        ("home", {"fr3_joint7": 0.0}, "the hand is turned by 0.79 rad"),
        ("home", {"fr3_finger_joint1": 0.4}, "home: fr3_finger_joint1"),
    ],
)
def test_a_part_that_says_something_dangerous_is_refused(values, part, change, message):
    values[part] |= change
    with pytest.raises(ContractError, match=message):
        Contract.from_dict(values)


def test_a_home_without_a_joint_is_refused(values):
    del values["home"]["fr3_joint5"]
    with pytest.raises(ContractError, match="home has no fr3_joint5"):
        Contract.from_dict(values)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("action", {"orientation": DOWN_AND_BACK}, "180 degrees off straight down, at most 60"),
        ("action", {"orientation": [0.5, 0.5, 0.5, 0.4]}, "no unit quaternion"),
        ("action", {"unit": "mm"}, "unit is 'mm'; this program knows 'm'"),
        ("action", {"frame": "tool"}, "frame is 'tool'; this program knows 'base'"),
        ("action", {"step_size": [50.0, 50.0, 50.0]}, "step_size is .*at most 0.855 m"),
        ("action", {"step_size": [0.05, -0.05, 0.05]}, "step_size is"),
        ("action", {"width": 4}, "width is 4; this program knows 3"),
        ("action", {"workspace_low": [0.7, -0.3, 0.0]}, "workspace is empty"),
        ("action", {"workspace_low": [1.3, -0.3, 0.0], "workspace_high": [1.7, 0.3, 0.3]}, "outside the policy's"),
        ("action", {"yaw_step": 0.1}, "width is 3|go together"),
        ("observation", {"unit": "mm"}, "observation tool_position: unit is 'mm'; this program knows 'm'"),
        ("observation", {"frame": "world"}, "frame is 'world'; this program knows 'base'"),
        ("observation", {"kind": "mood"}, "unknown kind 'mood'"),
        ("observation", {"width": 2}, "width is 2; this program knows 3"),
        ("observation", {"scale": [2.0, 0.0, 2.0]}, "scale must be 0.001 to 1000"),
        ("observation", {"scale": [2.0, 2.0]}, "scale must be 3 finite numbers"),
        ("observation", {"clip": [0.5, -0.5]}, "clip is"),
        ("observation", {"low": [-1e300] * 3, "high": [1e300] * 3}, "low must be 3 finite numbers"),
        (
            "observation",
            {"low": [2.0] * 3, "high": [-2.0] * 3},
            "low and high are 2.0 and -2.0; they must be -100 to 100, low first",
        ),
        ("observation", {"low": [-9e4] * 3, "high": [9e4] * 3}, "they must be -100 to 100"),
        ("observation", {"scale": [-2.0] * 3}, "scale must be 0.001 to 1000"),
        ("observation", {"parameters": {}}, "origin must be 3 finite numbers"),
        ("observation", {"name": "tool_velocity"}, "a name of its own"),
    ],
)
def test_a_term_that_means_something_else_here_is_refused(values, part, change, message):
    values[part][0] |= change
    with pytest.raises(ContractError, match=message):
        Contract.from_dict(values)


@pytest.mark.parametrize("name", ["../policy.onnx", "/etc/passwd", "", ".."])
def test_a_model_outside_of_the_export_is_refused(values, name):
    values["models"]["policy"]["files"]["onnx"]["name"] = name
    with pytest.raises(ContractError, match="not in the export's own folder"):
        Contract.from_dict(values)


DEEP: list = []
for _ in range(900):
    DEEP = [DEEP]


@pytest.mark.parametrize("part", ["source", "parameters", "versions", "theta", "home", "models"])
def test_what_is_nested_deeply_is_refused(values, part):
    """JSON's reader takes it, and what copies it afterwards does not."""
    values[part] = {"deep": DEEP}
    with pytest.raises(ContractError):
        Contract.from_dict(values)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("footprint", [0.0, 0.05], "footprint is 0.0"),
        ("footprint", [5.0, 0.05], "footprint is 5.0"),
        ("centre_x", [1000.0, 1000.0], "centre_x is 1000.0"),
        ("centre_x", [0.75, 0.8], "centre_x is 0.75 m; it must be 0.3 to 0.7 m"),
        ("centre_y", [0.1, -0.1], "centre_y goes from"),
        ("wear_rate", 0.0, "wear_rate must be above 0"),
        ("clean_ink", 2.0, "clean_ink is 2.0"),
        ("force_limit", 10**400, "force_limit is 1000"),
        ("erase_force", 9.0, "erase_force must be below"),
        ("num_marks", True, "num_marks is True"),
    ],
)
def test_a_law_by_which_ink_never_comes_off_or_lies_elsewhere_is_refused(values, name, value, message):
    values["parameters"] = {"marks": LAW}
    Contract.from_dict(values)
    values["parameters"] = {"marks": {**LAW, name: value}}
    with pytest.raises(ContractError, match=message):
        Contract.from_dict(values)


def test_a_changed_contract_is_refused_and_may_be_sealed_again(export_folder):
    file = export_folder / "contract.json"
    file.write_text(file.read_text().replace('"mass": 0.06', '"mass": 1.5'))
    with pytest.raises(ContractError, match=r"contract is not the one that was exported.*with sha256sum"):
        Contract.load(export_folder)
    subprocess.run("sha256sum contract.json > contract.sha256", shell=True, cwd=export_folder, check=True)
    assert Contract.load(export_folder).tool.mass == 1.5
    (export_folder / "contract.sha256").unlink()
    with pytest.raises(ContractError, match="no digest of the contract"):
        Contract.load(export_folder)


def test_a_file_that_is_no_network_is_refused_though_its_digest_fits(values, export_folder):
    (export_folder / "policy.onnx").write_bytes(b"no network")
    values["models"]["policy"]["files"]["onnx"]["sha256"] = checksum(export_folder / "policy.onnx")
    with pytest.raises(ContractError, match="no network that can be run"):
        OnnxPolicy(export_folder, Contract.from_dict(values))


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
