# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One seed gives one course of events, to the last bit, whatever happened before the reset."""

import hashlib
import subprocess
import sys

import pytest
import torch

pytestmark = pytest.mark.sim

NUM_STEPS = 60

# Run in another process; `digest` below does the same in this one.
OTHER_PROCESS = """
import argparse, importlib.util, sys
import torch
from mereq_tasks.arguments import add_task_args, parse_task_args
from mereq_tasks.launch import open_task, resolve_task
spec = importlib.util.spec_from_file_location("reproducibility", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
parser = argparse.ArgumentParser()
add_task_args(parser)
with open_task(resolve_task(*parse_task_args(parser, sys.argv[2:]))) as task:
    print("digest", module.digest(task.env))
"""


def rollout(env) -> list[torch.Tensor]:
    """All that the environment returns over a seeded rollout with hard presses, sweeps and resets."""
    torch.manual_seed(7)
    env.reset()
    generator = torch.Generator().manual_seed(1)
    obs = env.get_observations()
    seen = [obs["policy"].clone()]
    for step in range(NUM_STEPS):
        if step == 40:  # half of the robots start a new episode on the way
            env.episode_length_buf = torch.where(
                torch.arange(env.num_envs) % 2 == 0, env.max_episode_length - 1, env.episode_length_buf
            )
        action = 2 * torch.rand(env.num_envs, 3, generator=generator) - 1
        action[:, 2] -= 0.5
        obs, rewards, dones, _ = env.step(action)
        seen += [obs[group].clone() for group in ("policy", "features", "metrics")] + [rewards.clone(), dones.clone()]
    return seen


def digest(env) -> str:
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in rollout(env))).hexdigest()


def test_reset_with_a_seed_forgets_all_that_was_before(erase_task):
    """Contacts, warm starts of the solver, phases of the episodes: nothing of them survives."""
    env = erase_task.env
    first = rollout(env)
    env.episode_length_buf = torch.arange(env.num_envs) * 5 % env.max_episode_length
    for _ in range(37):
        env.step(torch.tensor([0.3, 0.1, -1.0]).expand(env.num_envs, 3))
    second = rollout(env)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_sums_do_not_round_by_the_number_of_cores(erase_task):
    """Opening a task on the CPU leaves PyTorch one thread, so that a seed means the same on every machine."""
    assert torch.get_num_threads() == 1


def test_whoever_multiplies_matrices_does_so_in_single_precision(erase_task):
    """Opening a task on the CPU picks the faster of two libraries, which must not round to a shorter type."""
    generator = torch.Generator().manual_seed(0)
    inputs, weights = (torch.randn(256, 256, generator=generator) for _ in range(2))
    exact = inputs.double() @ weights.double()
    for product in (inputs @ weights, torch.nn.functional.linear(inputs, weights.T.contiguous())):
        assert float((product - exact).abs().max() / exact.abs().max()) < 1e-6  # bfloat16 would be off by 1e-3


def test_another_seed_gives_another_course(erase_task):
    env = erase_task.env
    torch.manual_seed(7)
    env.reset()
    first = env.get_observations()["policy"].clone()
    torch.manual_seed(8)
    env.reset()
    assert not torch.equal(first, env.get_observations()["policy"])


@pytest.mark.timeout(400)
def test_two_processes_with_one_seed_agree_to_the_last_bit(erase_task):
    env = erase_task.env
    command_line = ["--task", "Franka-Erase", "--num_envs", str(env.num_envs), "--device", "cpu", "--seed", "3"]
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OTHER_PROCESS, __file__, *command_line], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr[-2000:]
    assert process.stdout.split("digest ")[1].strip() == digest(env)
