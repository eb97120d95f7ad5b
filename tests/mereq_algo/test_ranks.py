# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Processes that learn as one: two with gloo, on the CPU."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing

from mereq_algo.ranks import Ranks, joined_ranks
from mereq_algo.recording import policy_hash
from mereq_algo.records import RunFolder, RunFolderError
from mereq_algo.runner import ConfigError, Follower, SupervisionRunner, TimedEnv

from .supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained

REPOSITORY = Path(__file__).resolve().parents[2]
NUM_ENVS = 32


def _start(rank: int, port: int, job: Callable[[Ranks, Path], Any], folder: Path) -> None:
    torch.set_num_threads(1)
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", **where}
    with joined_ranks("cpu") as ranks:
        torch.save(job(ranks, folder), folder / f"{rank}.pt")


def _on_two_ranks(job: Callable[[Ranks, Path], Any], folder: Path) -> list[Any]:
    """What a job returns on each of two ranks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_start, (port, job, folder), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def _averages(ranks: Ranks, folder: Path) -> dict[str, Any]:
    weights = [
        torch.nn.Parameter(torch.zeros(2)),
        torch.nn.Parameter(torch.zeros(1, 2)),
        torch.nn.Parameter(torch.ones(1)),
    ]
    weights[0].grad = torch.full((2,), 1.0 + ranks.rank)
    weights[1].grad = torch.tensor([[ranks.rank, 4.0]])
    ranks.average_gradients(weights)
    rows = torch.tensor([[0.0], [0.0], [6.0]]) if ranks.is_first else torch.tensor([[2.0]])
    return {
        "gradients": [weight.grad for weight in weights],
        "mean": ranks.mean_of_rows(rows),
        "none": ranks.mean_of_rows(rows[:0]),
        "told": ranks.from_first({"a": torch.ones(2)} if ranks.is_first else None),
    }


def test_gradients_and_rows_are_averaged_and_the_first_rank_is_heard(tmp_path):
    for found in _on_two_ranks(_averages, tmp_path):
        torch.testing.assert_close(found["gradients"][0], torch.full((2,), 1.5))
        torch.testing.assert_close(found["gradients"][1], torch.tensor([[0.5, 4.0]]))
        assert found["gradients"][2] is None
        torch.testing.assert_close(found["mean"], torch.tensor([2.0]))  # of rows, not of ranks
        assert found["none"].isnan().all()
        torch.testing.assert_close(found["told"]["a"], torch.ones(2))


def test_alone_nothing_changes():
    ranks, rows = Ranks(), torch.rand(5, 2)
    assert ranks.is_first and ranks.from_first(3) == 3 and ranks.sum(rows) is rows
    torch.testing.assert_close(ranks.mean_of_rows(rows), rows.mean(dim=0), rtol=0, atol=0)


def _run(ranks: Ranks, folder: Path, guided_share: float = 0.0, objective: str = "features") -> dict[str, Any]:
    env, cfg = TimedEnv(SupervisedLinearEnv(num_envs=NUM_ENVS)), small_cfg(max_rounds=2)
    cfg.inner.guided_share, cfg.irl.objective = guided_share, objective
    if ranks.is_first:
        run = RunFolder.create(folder, "Linear", "test")
        runner = SupervisionRunner(env, SPEC, trained(0.0), trained(1.0), cfg, run, 3, (), ranks)
        ranks.from_first(str(run.path))
        record, learner = runner.learn(), runner.learner
        figures = {"samples": record.expert_samples, "env_steps": record.env_steps, "world_size": record.world_size}
    else:
        follower = Follower(env, SPEC, trained(0.0), cfg, 3, ranks)
        follower.follow(RunFolder(Path(ranks.from_first())))
        learner, figures = follower.learner, {}
    assert learner.theta is not None
    with torch.no_grad():
        action = float(learner.policy(torch.zeros(1, 1)))
    return {"theta": learner.theta, "policy": policy_hash(learner.policy), "action": action, **figures}


def test_two_ranks_have_one_theta_and_one_policy_as_one_process_with_all_robots_has(tmp_path):
    first, second = _on_two_ranks(_run, tmp_path)
    torch.testing.assert_close(first["theta"], second["theta"], rtol=0, atol=0)
    assert first["policy"] == second["policy"]
    assert first["world_size"] == 2 and first["env_steps"] % (2 * NUM_ENVS) == 0
    (run,) = (tmp_path / "Linear").iterdir()
    assert {file.name for file in (run / "checkpoints").iterdir()} == {
        "state.pt",
        "state_rank1.pt",
        "policy.safetensors",
    }

    # Seeds of one process tell how far two runs may differ.
    alone = []
    for seed in range(4):
        env, cfg = TimedEnv(SupervisedLinearEnv(num_envs=2 * NUM_ENVS)), small_cfg(max_rounds=2)
        folder = RunFolder.create(tmp_path / str(seed), "Linear", "test")
        runner = SupervisionRunner(env, SPEC, trained(0.0), trained(1.0), cfg, folder, seed)
        runner.learn()
        with torch.no_grad():
            alone.append(float(runner.policy(torch.zeros(1, 1))))
    spread = max(alone) - min(alone)
    assert min(alone) - spread < first["action"] < max(alone) + spread
    assert first["action"] > 0.3  # the prior has 0, the person 0.76


def _go_on_apart(ranks: Ranks, folder: Path) -> str:
    """What each rank says of a run of which one of them was killed before it wrote its last state."""
    _run(ranks, folder)
    (path,) = (folder / "Linear").iterdir()
    run, cfg = RunFolder(path), small_cfg(max_rounds=3)
    parts = (TimedEnv(SupervisedLinearEnv(num_envs=NUM_ENVS)), SPEC, trained(0.0))
    try:
        if ranks.is_first:
            runner = SupervisionRunner(*parts, trained(1.0), cfg, run, 3, (), ranks)
            runner.resume()
            runner.learn()
        else:
            run.write_state(run.read_state(1) | {"next_round": 1}, 1)
            Follower(*parts, cfg, 3, ranks).follow(run, resume=True)
    except RunFolderError as error:
        return str(error)
    return "went on"


def test_ranks_do_not_go_on_from_different_rounds(tmp_path):
    for told in _on_two_ranks(_go_on_apart, tmp_path):
        assert "processes would go on from different rounds (3, 2)" in told and "\n" not in told


def test_both_ranks_have_the_theta_of_actions_that_one_of_them_has_seen(tmp_path):
    first, second = _on_two_ranks(partial(_run, objective="actions"), tmp_path)
    torch.testing.assert_close(first["theta"], second["theta"], rtol=0, atol=0)
    assert first["policy"] == second["policy"]
    assert float(first["theta"][1]) > 0.1 and first["action"] > 0.1, "the person pushes more than the prior, by 0"


def test_both_ranks_have_the_clone_of_the_person_that_one_of_them_has_seen(tmp_path):
    first, second = _on_two_ranks(partial(_run, guided_share=0.2), tmp_path)
    torch.testing.assert_close(first["theta"], second["theta"], rtol=0, atol=0)
    assert first["policy"] == second["policy"]
    assert first["action"] > 0.3
    (run,) = (tmp_path / "Linear").iterdir()
    clones = [RunFolder(run).read_state(rank)["learner"]["jump_start"]["clone"]["policy"] for rank in range(2)]
    for name, value in clones[0].items():
        torch.testing.assert_close(clones[1][name], value, rtol=0, atol=0, msg=name)
    unfitted = trained(0.0).policy.state_dict()
    assert any(not torch.equal(value, unfitted[name]) for name, value in clones[0].items())


@pytest.mark.parametrize("method", ["maxent_ft", "maxent", "hg_dagger_ft", "iwr_ft"])
def test_methods_that_learn_in_one_process_are_refused(method, tmp_path):
    env, cfg = TimedEnv(SupervisedLinearEnv(num_envs=NUM_ENVS)), small_cfg(method=method)
    with pytest.raises(ConfigError, match="learn"):
        Follower(env, SPEC, trained(0.0), cfg, 0, Ranks(1, 2))


DYING = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from mereq_algo.ranks import joined_ranks
with joined_ranks("cpu") as ranks:
    print("joined", flush=True)
    for step in range(1_000_000):
        if ranks.rank == 1 and step == 50:
            os.kill(os.getpid(), signal.SIGKILL)
        ranks.sum(torch.ones(10))
"""


def test_a_rank_that_dies_ends_the_job_with_a_message(tmp_path):
    script = tmp_path / "dying.py"
    script.write_text(DYING)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    start = time.monotonic()
    done = subprocess.run(
        [*launcher, str(script), str(REPOSITORY)], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.stdout.count("joined") == 2
    assert done.returncode != 0 and "Signal 9 (SIGKILL)" in done.stderr
    assert time.monotonic() - start < 200
