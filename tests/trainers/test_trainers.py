# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Exported datasets are trained on by the programs that they are for: `./isaaclab.sh -t -m trainers -n 0`.

A dataset that loads may still be one that no policy trains on.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
from pathlib import Path

import pytest
import torch

from mereq_lab.datasets.lerobot import export_lerobot
from mereq_lab.datasets.robomimic import export_robomimic

from .episodes import ACTIONS, OBS, RATE_HZ, episodes

pytestmark = [pytest.mark.trainers, pytest.mark.timeout(3_000)]

SMALL = {
    "act": ["dim_model=32", "n_heads=2", "dim_feedforward=64", "chunk_size=8", "n_action_steps=8"],
    "diffusion": ["down_dims=[16,32]", "n_groups=4", "horizon=8", "n_action_steps=4"],
}


def run(*command: str | Path) -> str:
    """What a program prints; it must not fail, and asks nothing of the network."""
    offline = {"HF_HUB_OFFLINE": "1", "WANDB_MODE": "disabled", "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, **offline},
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout + result.stderr


def assert_finite(losses: list[str], count: int) -> None:
    assert len(losses) == count
    assert all(math.isfinite(float(loss)) for loss in losses)


@pytest.fixture(scope="module")
def lerobot_dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lerobot") / "dataset"
    export_lerobot(episodes(), folder)
    return folder


@pytest.mark.parametrize("policy", SMALL)
def test_lerobot_trains_its_policies(trainers, lerobot_dataset, tmp_path, policy):
    output = run(
        trainers / "lerobot-train",
        "--dataset.repo_id=local/reach",
        f"--dataset.root={lerobot_dataset}",
        f"--policy.type={policy}",
        *(f"--policy.{setting}" for setting in SMALL[policy]),
        *("--policy.device=cpu", "--policy.push_to_hub=false", "--wandb.enable=false"),
        *("--steps=4", "--batch_size=8", "--num_workers=0", "--log_freq=1", f"--output_dir={tmp_path / 'out'}"),
    )
    assert_finite(re.findall(r" loss:(\S+)", output), 4)
    assert list((tmp_path / "out").rglob("model.safetensors"))


LOOK = """
import json, sys
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.utils.feature_utils import dataset_to_policy_features
found = LeRobotDataset("local/reach", root=sys.argv[1], delta_timestamps={"action": [0.0, 1.0 / float(sys.argv[2])]})
features = dataset_to_policy_features(found.features).items()
features = {name: [feature.type.value, list(feature.shape)] for name, feature in features}
frame = found[1]
print(json.dumps([found.fps, len(found), features, float(frame["timestamp"]), frame["action"].tolist()]))
"""


def test_lerobot_reads_the_rate_and_the_next_action(trainers, lerobot_dataset, tmp_path):
    (tmp_path / "look.py").write_text(LOOK)
    found = run(trainers / "python", tmp_path / "look.py", lerobot_dataset, str(RATE_HZ)).splitlines()
    fps, count, features, timestamp, actions = json.loads(next(line for line in found if line.startswith("[")))
    recorded = episodes()
    assert fps == pytest.approx(RATE_HZ, rel=1e-9) and timestamp == pytest.approx(1.0 / RATE_HZ, rel=1e-5)
    assert count == sum(len(episode) for episode in recorded)
    assert features["observation.state"] == ["STATE", [OBS]] and features["observation.environment_state"][0] == "ENV"
    assert features["action"] == ["ACTION", [ACTIONS]]
    torch.testing.assert_close(torch.tensor(actions), recorded[0].transitions["action"][1:3])


def test_robomimic_trains_and_validates_on_its_filter_keys(trainers, tmp_path):
    dataset = tmp_path / "all.hdf5"
    export_robomimic(episodes(), dataset)
    output = run(trainers / "python", Path(__file__).with_name("train_bc.py"), dataset, tmp_path / "out")
    assert_finite(re.findall(r'"Loss": (\S+?),', output), 2 * 2)  # training and validation, two epochs
    assert list((tmp_path / "out").rglob("model_epoch_*.pth"))


ENV = """
import sys
import robomimic.utils.obs_utils as observations
observations.initialize_obs_utils_with_obs_specs({"obs": {"low_dim": ["policy"]}})
import robomimic.envs.env_base as base, robomimic.utils.env_utils as envs, robomimic.utils.file_utils as files
meta = files.get_env_metadata_from_dataset(sys.argv[1])
known = (base.EnvType.ROBOSUITE_TYPE, base.EnvType.GYM_TYPE, base.EnvType.IG_MOMART_TYPE)
assert envs.get_env_type(env_meta=meta) in known
shapes = files.get_shape_metadata_from_dataset(sys.argv[1], all_obs_keys=["policy"])
print("rate", meta["env_kwargs"]["control_freq"], shapes["ac_dim"], shapes["all_shapes"]["policy"])
"""


def test_robomimic_accepts_what_is_said_of_the_environment(trainers, tmp_path):
    dataset = tmp_path / "all.hdf5"
    export_robomimic(episodes(), dataset)
    (tmp_path / "env.py").write_text(ENV)
    output = run(trainers / "python", tmp_path / "env.py", dataset)
    (line,) = (line for line in output.splitlines() if line.startswith("rate "))
    _, rate, actions, shape = line.split(maxsplit=3)
    assert float(rate) == pytest.approx(RATE_HZ) and int(actions) == ACTIONS and str(OBS) in shape
