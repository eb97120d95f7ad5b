# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A small export: a contract of Franka-Erase's form, and a network that was never trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mereq_algo.networks import GaussianPolicy, PolicyCfg
from mereq_deploy.contract import Contract, checksum
from mereq_deploy.terms import KINDS
from mereq_lab.export import DeterministicPolicy, write_model


def term(name: str, kind: str, width: int, clip: list[float] | None = None, **parameters) -> dict:
    bound = 1.0 if clip is None else clip[1]
    known = KINDS[kind]
    return {
        **{"name": name, "kind": kind, "width": width, "unit": known.unit, "frame": known.frame},
        **{"clip": clip, "meaning": ""},
        **{"scale": [2.0] * width, "low": [-2.0 * bound] * width, "high": [2.0 * bound] * width},
        "parameters": parameters,
    }


@pytest.fixture
def values(home) -> dict:
    """A contract as JSON holds it; its files are not there."""
    return {
        **{"format": "mereq-contract", "version": 1, "robot": "FR3", "task": "Franka-Test", "goal": "", "wish": ""},
        **{"rate_hz": 20.0, "episode_length_s": 5.0, "features": ["speed"], "theta": {"speed": -1.0}},
        "controller": {
            **{"type": "cartesian_impedance", "rate_hz": 100.0, "joint_damping": 2.0, "gravity_compensated": True},
            **{"stiffness": [400.0] * 3 + [50.0] * 3, "damping": [60.0] * 3 + [3.0] * 3},
        },
        "tool": {
            "name": "eraser",
            "frame": "fr3_hand",
            "point": [0.0, 0.0, 0.13],
            "velocity_point": [0.0, 0.0, 0.12],
            "mass": 0.06,
        },
        "home": dict(home),
        "observation": [
            term("tool_position", "tool_position", 3, [-0.5, 0.5], origin=[0.5, 0.0, 0.0]),
            term("tool_velocity", "tool_velocity", 3),
        ],
        "action": [
            {
                **{"type": "tool_step", "name": "tool", "width": 3, "step_size": [0.05, 0.05, 0.05]},
                **{"workspace_low": [0.3, -0.3, 0.0], "workspace_high": [0.7, 0.3, 0.3]},
                **{"orientation": [1.0, 0.0, 0.0, 0.0], "yaw_step": None, "yaw_limits": None},
                **{"unit": "m", "frame": "base"},
            }
        ],
        **{"parameters": {}, "versions": {"torch": "2"}, "source": {"name": "test"}},
        "models": {
            "policy": {
                **{"kind": "deterministic", "inputs": ["observation"], "outputs": ["action"]},
                "files": {"onnx": {"name": "policy.onnx", "sha256": "0" * 64}},
            }
        },
    }


@pytest.fixture(scope="session")
def home() -> dict[str, float]:
    """The felt is then at (0.5, 0, 0.07) m, and the board's surface at a height of 0.02 m."""
    return {f"fr3_joint{i + 1}": position for i, position in enumerate((0.0, 0.272, 0.0, -2.399, 0.0, 2.671, 0.785))}


@pytest.fixture
def arm_contract(values, home) -> Contract:
    """That of Franka-Erase as far as the arm is concerned."""
    values["tool"] |= {"point": [0.0, 0.0, 0.1334], "velocity_point": [0.0, 0.0, 0.1209]}
    values["action"][0]["workspace_low"][2] = -0.05
    values["home"] = home
    for term in values["observation"]:
        term["low"], term["high"] = [-9.0] * term["width"], [9.0] * term["width"]
    return Contract.from_dict(values)


@pytest.fixture(scope="session")
def network(tmp_path_factory) -> Path:
    """An ONNX file of 6 numbers to 3, which asks for full steps."""
    torch.manual_seed(0)
    policy = GaussianPolicy(6, 3, PolicyCfg(hidden_dims=(8, 8)))
    with torch.no_grad():  # so that it asks for more than what friction in the arm's joints holds
        for weight in policy.parameters():
            weight *= 15.0
    return write_model(DeterministicPolicy(policy), tmp_path_factory.mktemp("network"), "policy").onnx


@pytest.fixture
def export_folder(values, network, tmp_path) -> Path:
    """Contract and network as an export leaves them."""
    (tmp_path / "policy.onnx").write_bytes(network.read_bytes())
    values["models"]["policy"]["files"]["onnx"]["sha256"] = checksum(network)
    Contract.from_dict(values).save(tmp_path)
    return tmp_path


@pytest.fixture
def arm_export(arm_contract, network, tmp_path) -> Path:
    """An export for the simulated arm, which moves for some seconds before it is at an edge of its workspace."""
    arm_contract.tool_step.step_size[:] = [0.03] * 3
    (tmp_path / "policy.onnx").write_bytes(network.read_bytes())
    arm_contract.models["policy"].files["onnx"]["sha256"] = checksum(network)
    arm_contract.save(tmp_path)
    return tmp_path
