# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A robot whose physics broke is reset and counted; nobody else notices, and nothing of it is learned."""

import math

import pytest
import torch

from mereq_algo.runner import TimedEnv
from mereq_algo.storage import ReplayBuffer, transition_from_step

pytestmark = pytest.mark.sim

BROKEN, BREAK_AT, NUM_STEPS = 3, 20, 50


def break_robot(env, robot_id: int, position: float | None, velocity: float | None) -> None:
    """Writes a joint state into the simulation that no physics recovers from."""
    robot = env.unwrapped.scene["robot"]
    env_ids = torch.tensor([robot_id], dtype=torch.int32)
    joint_pos = robot.data.joint_pos.torch[robot_id : robot_id + 1].clone()
    joint_vel = robot.data.joint_vel.torch[robot_id : robot_id + 1].clone()
    if position is not None:
        joint_pos[:, 2] = position
    if velocity is not None:
        joint_vel[:, 2] = velocity
    robot.write_joint_position_to_sim_index(position=joint_pos, env_ids=env_ids)
    robot.write_joint_velocity_to_sim_index(velocity=joint_vel, env_ids=env_ids)


def run(eraser, position: float | None = None, velocity: float | None = None, storage: ReplayBuffer | None = None):
    """Presses and sweeps for 50 steps; breaks one robot on the way if told to."""
    env = eraser.env
    eraser.start_over()
    action = torch.tensor([0.1, 0.05, -0.6]).expand(env.num_envs, 3)
    obs, steps = env.get_observations().clone(), []
    for number in range(NUM_STEPS):
        if number == BREAK_AT and (position is not None or velocity is not None):
            break_robot(env, BROKEN, position, velocity)
        next_obs, rewards, dones, extras = env.step(action)
        counted = float(extras["log"].get("Episode_Termination/non_finite_state", 0.0))
        steps.append((next_obs.clone(), rewards.clone(), dones.clone(), extras["time_outs"].clone(), counted))
        if storage is not None:
            storage.add(transition_from_step(obs["policy"], action, next_obs, rewards, dones, extras))
        obs = next_obs.clone()
    return steps


@pytest.mark.parametrize(
    ("position", "velocity"),
    [(None, math.nan), (math.nan, None), (None, math.inf), (None, 1e6)],
    ids=["nan velocity", "nan position", "infinite velocity", "absurd velocity"],
)
def test_broken_robot_is_reset_and_counted_and_works_again(eraser, position, velocity):
    num_envs = eraser.env.num_envs
    others = torch.arange(num_envs) != BROKEN
    reference, steps = run(eraser), run(eraser, position, velocity)
    for number, ((obs, rewards, dones, time_outs, counted), (wanted, wanted_rewards, *_)) in enumerate(
        zip(steps, reference, strict=True)
    ):
        assert dones.nonzero().flatten().tolist() == ([BROKEN] if number == BREAK_AT else [])
        assert not time_outs.any()
        for group in ("policy", "features", "metrics"):
            assert torch.isfinite(obs[group]).all()
            assert torch.equal(obs[group][others], wanted[group][others]), f"step {number}: others noticed"
        assert torch.equal(rewards[others], wanted_rewards[others])
        if number == BREAK_AT:
            assert counted == pytest.approx(1 / num_envs)
    # It works again: it comes down and presses like the others.
    force = eraser.marks.normal_force
    assert force[BROKEN] > 1.0
    assert (eraser.env.episode_length_buf[BROKEN]) == NUM_STEPS - BREAK_AT - 1


def test_every_robot_whose_physics_broke_is_counted_once(eraser):
    """Whatever broke in episodes before, which Isaac Lab's log still tells of."""
    env = TimedEnv(eraser.env)
    eraser.start_over()
    action = torch.zeros(env.num_envs, 3)
    for number in range(8):
        if number in (2, 5):
            for robot_id in range(number):
                break_robot(eraser.env, robot_id, None, math.nan)
        env.step(action)
    assert env.num_broken == 2 + 5


def test_broken_transition_never_reaches_the_replay_buffer(eraser):
    env = eraser.env
    num_obs = env.get_observations()["policy"].shape[1]
    num_features = env.get_observations()["features"].shape[1]
    storage = ReplayBuffer(10_000, num_obs, env.num_actions, num_features)
    run(eraser, velocity=math.nan, storage=storage)
    assert int(storage.num_rejected) == 1
    assert len(storage) == NUM_STEPS * env.num_envs - 1
    assert all(torch.isfinite(column).all() for column in storage.latest(len(storage)).values())


def test_nothing_of_a_broken_robot_survives_its_reset(eraser):
    """Not in the solver's warm start either: a seeded rollout afterwards is the same to the last bit."""
    before = run(eraser)
    run(eraser, position=math.nan, velocity=math.nan)
    after = run(eraser)
    for (obs, rewards, *_), (wanted, wanted_rewards, *_) in zip(after, before, strict=True):
        assert torch.equal(obs["policy"], wanted["policy"])
        assert torch.equal(rewards, wanted_rewards)
