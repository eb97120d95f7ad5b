# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Simulation and learning run side by side; which of them is faster must not show in the numbers."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from tensordict import TensorDict

from mereq_algo.residual import LearningLoop, LinearReward, ResidualSAC, build_residual_sac

from .supervised_env import SupervisedLinearEnv, small_cfg, trained


class SlowEnv(SupervisedLinearEnv):
    """Takes its time, and notes which thread it is stepped in."""

    delay_s = 0.0

    def step(self, actions):
        self.thread = threading.get_ident()
        time.sleep(self.delay_s)
        return super().step(actions)


def algorithm_for(env: SlowEnv) -> ResidualSAC:
    return build_residual_sac(env, LinearReward(0.0, torch.tensor([0.0, 1.0])), small_cfg().sac, trained(0.0).policy)


def learn(delay_s: float, update_delay_s: float = 0.0) -> ResidualSAC:
    torch.manual_seed(0)  # the environment draws from the global generator, in the main thread
    env = SlowEnv(num_envs=32)
    env.delay_s = delay_s
    algorithm = algorithm_for(env)
    update = algorithm.update

    def slow_update():
        time.sleep(update_delay_s)
        return update()

    algorithm.update = slow_update  # type: ignore[method-assign]
    with LearningLoop(env, algorithm) as loop:
        for _ in range(40):
            loop.step()
    return algorithm


def test_numbers_do_not_depend_on_which_side_is_faster():
    fast_env, slow_env = learn(0.0, update_delay_s=0.005), learn(0.005)
    assert fast_env.num_updates == slow_env.num_updates > 5
    for name, value in fast_env.policy.state_dict().items():
        assert torch.equal(value, slow_env.policy.state_dict()[name]), name


def test_updates_run_while_the_simulation_steps():
    start = time.perf_counter()
    learn(0.06, update_delay_s=0.06)
    # One after the other, 40 steps would take 4.8 s.
    assert time.perf_counter() - start < 4.0


def test_every_due_update_is_made_and_every_transition_stored():
    env = SlowEnv(num_envs=32)
    algorithm = algorithm_for(env)
    with LearningLoop(env, algorithm) as loop:
        for _ in range(20):
            taken = loop.step()
            assert torch.equal(
                taken.transition["next_obs"][~taken.extras["time_outs"]],
                taken.obs["policy"][~taken.extras["time_outs"]],
            )
    # The newest transitions are learned from in the next step, and nothing before learning starts.
    due = sum(32 * (step - 1) >= algorithm.cfg.learning_starts for step in range(1, 21))
    assert algorithm.num_updates == int(due * algorithm.updates_per_step)
    assert len(algorithm.storage) == 20 * 32


def test_what_a_guide_does_is_carried_out_and_stored():
    env = SlowEnv(num_envs=4)
    algorithm = algorithm_for(env)

    def guide(obs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return torch.cat((torch.full_like(actions[:2], 0.25), actions[2:]))

    with LearningLoop(env, algorithm, guide) as loop:
        taken = loop.step()
    assert (taken.transition["action"] == 0.25).flatten().tolist() == [True, True, False, False]


def test_a_failed_update_ends_the_loop():
    env = SlowEnv(num_envs=32)
    algorithm = algorithm_for(env)

    def fail():
        raise ZeroDivisionError

    algorithm.update = fail  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError), LearningLoop(env, algorithm) as loop:
        loop.step()
    assert env.thread == threading.get_ident()
    assert "updates" not in " ".join(thread.name for thread in threading.enumerate())


class GpuEnv(SlowEnv):
    """Steps on the CPU, keeps the GPU's current stream busy for a while, and hands its results over there."""

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs)
        self.device = "cuda"

    def get_observations(self):
        return super().get_observations().to("cuda")

    def step(self, actions):
        obs, rewards, dones, extras = super().step(actions.cpu())
        torch.cuda._sleep(self.busy_cycles)
        extras = {name: value.to("cuda") for name, value in extras.items() if name != "final_obs"} | {
            "final_obs": TensorDict(extras["final_obs"], batch_size=[self.num_envs]).to("cuda")
            if "final_obs" in extras
            else None
        }
        return obs.to("cuda"), rewards.to("cuda"), dones.to("cuda"), extras


def learn_on_gpu(step_cycles: int, update_cycles: int, store_cycles: int = 0) -> tuple[ResidualSAC, float]:
    """Returns what was learned, and the time of the last 30 of 40 steps [s]."""
    torch.manual_seed(0)
    env = GpuEnv(num_envs=32)
    env.busy_cycles = step_cycles
    algorithm = algorithm_for(env)
    update, store = algorithm.update, algorithm.store

    def slow_store(transitions):
        torch.cuda._sleep(store_cycles)
        store(transitions)

    def slow_update():
        torch.cuda._sleep(update_cycles)
        stats = update()
        torch.cuda._sleep(update_cycles)
        return stats

    algorithm.update = slow_update  # type: ignore[method-assign]
    algorithm.store = slow_store  # type: ignore[method-assign]
    with LearningLoop(env, algorithm) as loop:
        for _ in range(10):
            loop.step()
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(30):
            loop.step()
        torch.cuda.synchronize()
    return algorithm, time.perf_counter() - start


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_updates_have_a_stream_of_their_own():
    """Which of both is faster must not show in the numbers, and they must take place at the same time."""
    quick_step, _ = learn_on_gpu(0, 5_000_000)
    quick_update, _ = learn_on_gpu(10_000_000, 0, store_cycles=10_000_000)
    assert quick_step.num_updates == quick_update.num_updates > 5
    for name, value in quick_step.policy.state_dict().items():
        torch.testing.assert_close(value, quick_update.policy.state_dict()[name], rtol=1e-4, atol=1e-5, msg=name)
    _, step_s = learn_on_gpu(40_000_000, 0)
    _, both_s = learn_on_gpu(40_000_000, 20_000_000)
    assert both_s < 1.5 * step_s  # one after the other: twice
