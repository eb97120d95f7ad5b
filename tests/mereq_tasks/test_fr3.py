# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The robot is built on first use, once, whoever asks at the same time; reading a config builds nothing."""

import os
import subprocess
import sys

import pytest

from mereq_tasks.robots.fr3_usd import fr3_usd_path

BUILD = "from mereq_tasks.robots.fr3_usd import fr3_usd_path; print(fr3_usd_path('eraser'))"


def start(code: str, cache) -> subprocess.Popen:
    environment = {**os.environ, "MEREQ_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen) -> str:
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return output.strip().splitlines()[-1]


@pytest.mark.timeout(300)
def test_two_processes_build_one_robot(tmp_path):
    processes = [start(BUILD, tmp_path) for _ in range(2)]
    first, second = (finish(process) for process in processes)
    assert first == second
    assert os.path.getsize(first) > 0
    # One finished entry, and nothing half-built beside it.
    assert [path.name for path in tmp_path.iterdir()] == [os.path.basename(os.path.dirname(first))]


def test_tools_do_not_share_an_entry_and_a_second_start_builds_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("MEREQ_CACHE", str(tmp_path))
    eraser, gripper = fr3_usd_path("eraser"), fr3_usd_path("gripper")
    assert eraser != gripper
    built_at = eraser.stat().st_mtime_ns
    assert fr3_usd_path("eraser") == eraser
    assert eraser.stat().st_mtime_ns == built_at


def test_tasks_are_registered_without_importing_the_simulator(tmp_path):
    """Isaac Lab's CLI imports every package of tasks at each start, whatever it is asked."""
    code = """
import sys, mereq_tasks, gymnasium
assert "Franka-Erase" in gymnasium.registry
print([name for name in ("torch", "warp", "newton", "isaaclab.sim", "pxr") if name in sys.modules])
"""
    assert finish(start(code, tmp_path)) == "[]"
    assert not list(tmp_path.iterdir())


HOLD_AND_GRASP = """
import torch
from isaaclab.scene import InteractiveScene, InteractiveSceneCfg
from isaaclab.sim import SimulationCfg, build_simulation_context
from mereq_tasks.physics import PhysicsCfg
from mereq_tasks.robots.fr3 import FR3_GRIPPER_CFG

with build_simulation_context(sim_cfg=SimulationCfg(dt=0.01, device="cpu", physics=PhysicsCfg().newton_mjwarp)) as sim:
    scene_cfg = InteractiveSceneCfg(num_envs=2, env_spacing=2.0)
    scene_cfg.robot = FR3_GRIPPER_CFG.replace(prim_path="{ENV_REGEX_NS}/Robot")
    scene = InteractiveScene(scene_cfg)
    sim.reset()
    robot = scene["robot"]
    start = robot.data.default_joint_pos.torch.clone()
    robot.write_joint_position_to_sim_index(position=start)
    arm, fingers = robot.find_joints("fr3_joint.*")[0], robot.find_joints("fr3_finger_joint.*")[0]
    for width in (0.0, 0.04):
        for _ in range(100):
            robot.actuators.target_command.set_position_index(value=torch.full((2, 2), width), joint_ids=fingers)
            scene.write_data_to_sim()
            sim.step(render=False)
            scene.update(0.01)
        assert (robot.data.joint_pos.torch[:, fingers] - width).abs().max() < 1e-3, robot.data.joint_pos.torch
    # Weight is compensated and the arm has no spring: it rests where it was put.
    assert (robot.data.joint_pos.torch - start)[:, arm].abs().max() < 1e-3, robot.data.joint_pos.torch
print("held")
"""


@pytest.mark.sim
@pytest.mark.timeout(300)
def test_gripper_opens_and_closes_on_an_arm_that_holds_still():
    process = subprocess.run([sys.executable, "-c", HOLD_AND_GRASP], capture_output=True, text=True, timeout=280)
    assert process.returncode == 0 and process.stdout.endswith("held\n"), process.stdout[-500:] + process.stderr[-2000:]
    assert "No collision targets matched" not in process.stdout + process.stderr
