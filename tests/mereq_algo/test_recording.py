# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Recordings: what is written is what is read, no kill loses an earlier episode, and one can learn from them."""

from __future__ import annotations

import dataclasses
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from mereq_algo.atomic_write import WriteError
from mereq_algo.intervention import SupervisedRollout, collect_supervised_rollout
from mereq_algo.meaning import PolicyMeaning
from mereq_algo.recording import (
    RecordedEpisode,
    RecordingError,
    RecordingInfo,
    episodes_of,
    find_recordings,
    gather,
    policy_hash,
    read_episodes,
    read_recordings,
    rollout_of,
    write_episode,
    write_round,
)
from mereq_algo.records import RunFolder
from mereq_algo.runner import ConfigError, RecordedRunner, SupervisionRunner, TimedEnv, make_person
from mereq_lab.datasets.lerobot import export_lerobot
from mereq_lab.datasets.robomimic import export_robomimic
from mereq_lab.report import write_report

from .recordings import episode as episode_of_the_linear_task
from .supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained

INFO = RecordingInfo(
    task="Linear",
    person="Ada",
    policy_sha256=policy_hash(trained(0.0).policy),
    obs_names=("state",),
    feature_names=("state", "push"),
    metric_names=("success",),
    reward_names=("distance", "effort"),
    round=2,
    seed=7,
    step_s=0.05,
    recorded_at="2026-11-26T10:00:00+01:00",
    versions={"torch": torch.__version__},
)


class TellingEnv(SupervisedLinearEnv):
    """Tells the terms of its reward apart, as the tasks of the suite do."""

    def step(self, actions):
        obs, rewards, dones, extras = super().step(actions)
        return obs, rewards, dones, {**extras, "reward_terms": torch.stack((0.75 * rewards, 0.25 * rewards), dim=1)}


def _rollout(num_robots: int = 3, episodes_per_robot: int = 2) -> SupervisedRollout:
    torch.manual_seed(0)
    env = TellingEnv(num_envs=num_robots + 2, bound=0.9)  # some episodes end early
    person = make_person(small_cfg().person, trained(1.0), num_robots, 0, "cpu")
    return collect_supervised_rollout(
        env, trained(0.0).policy, person, num_robots, episodes_per_robot, torch.Generator().manual_seed(0)
    )


def _episodes() -> list[RecordedEpisode]:
    return episodes_of(_rollout(), INFO)


def _assert_same(found: RecordedEpisode, wanted: RecordedEpisode) -> None:
    assert found.info == wanted.info
    for name in wanted.transitions.keys():  # noqa: SIM118 (a TensorDict iterates over its batch)
        torch.testing.assert_close(found.transitions[name], wanted.transitions[name], rtol=0, atol=0)
    for name in ("robot_action", "in_control", "metrics", "reward_terms"):
        torch.testing.assert_close(getattr(found, name), getattr(wanted, name), rtol=0, atol=0)


def test_a_rollout_is_cut_into_its_whole_episodes():
    rollout, episodes = _rollout(), _episodes()
    assert len(episodes) == 6
    assert [episode.info.robot for episode in episodes] == [0, 0, 1, 1, 2, 2]
    assert sum(len(episode) for episode in episodes) == rollout.num_steps
    assert sum(episode.expert_samples for episode in episodes) == rollout.expert_samples > 0
    assert len({len(episode) for episode in episodes}) > 1
    for episode in episodes:
        torch.testing.assert_close(episode.reward_terms.sum(dim=1), episode.transitions["base_reward"])
        assert episode.info.success == bool(episode.metrics[-1, 0] > 0.5)
        taken = episode.transitions["action"]
        torch.testing.assert_close(taken[~episode.in_control], episode.robot_action[~episode.in_control])


def test_what_is_written_is_what_is_read(tmp_path):
    episodes = _episodes()
    write_round(tmp_path, episodes)
    files = find_recordings([tmp_path])
    assert [str(file.relative_to(tmp_path)) for file in files[:2]] == [
        "round_03/episode_001.hdf5",
        "round_03/episode_002.hdf5",
    ]
    for file, episode in zip(files, episodes, strict=True):
        (found,) = read_episodes(file)
        _assert_same(found, episode)


def test_recorded_episodes_teach_what_the_rollout_did():
    rollout = _rollout()
    again = rollout_of(_episodes())
    for name in ("num_steps", "expert_samples", "num_takeovers"):
        assert getattr(again, name) == getattr(rollout, name)
    for steps in (lambda r: r.valid, lambda r: r.valid & r.in_control):
        torch.testing.assert_close(
            again.transitions["features"][steps(again)].double().mean(dim=0),
            rollout.transitions["features"][steps(rollout)].double().mean(dim=0),
        )


def test_discarded_episodes_are_kept_and_not_learned_from(tmp_path):
    episodes = _episodes()
    thrown = dataclasses.replace(episodes[0], info=dataclasses.replace(episodes[0].info, discarded=True))
    write_episode(tmp_path / "thrown.hdf5", thrown)
    assert read_episodes(tmp_path / "thrown.hdf5")[0].info.discarded
    assert rollout_of([thrown, *episodes[1:]]).num_supervised == 5
    with pytest.raises(RecordingError, match="none of 1 recorded episodes"):
        rollout_of([thrown])


def test_the_layout_is_that_of_robomimic(tmp_path):
    episodes = _episodes()
    export_robomimic(episodes, tmp_path / "all.hdf5")
    with h5py.File(tmp_path / "all.hdf5") as file:
        data = file["data"]
        assert json.loads(data.attrs["env_args"])["env_name"] == "Linear"
        assert data.attrs["total"] == sum(len(episode) for episode in episodes)
        assert sorted(data) == [f"demo_{number}" for number in range(6)]
        for number, episode in enumerate(episodes):
            demo = data[f"demo_{number}"]
            assert demo.attrs["num_samples"] == len(episode)
            for name in ("actions", "rewards", "dones", "obs/policy", "next_obs/policy", "reward_terms/effort"):
                assert len(demo[name]) == len(episode), name
            assert list(demo["dones"][-2:]) == [False, True]
    for found, episode in zip(read_episodes(tmp_path / "all.hdf5"), episodes, strict=True):
        _assert_same(found, episode)


def test_the_lerobot_dataset_has_every_frame(tmp_path):
    import pandas as pd

    episodes = _episodes()
    export_lerobot(episodes, tmp_path)
    info = json.loads((tmp_path / "meta" / "info.json").read_text())
    data = pd.read_parquet(tmp_path / info["data_path"].format(chunk_index=0, file_index=0))
    table = pd.read_parquet(tmp_path / "meta" / "episodes" / "chunk-000" / "file-000.parquet")
    tasks = pd.read_parquet(tmp_path / "meta" / "tasks.parquet")

    assert (info["codebase_version"], info["fps"], info["total_episodes"]) == ("v3.0", 20, 6)
    assert set(data.columns) == set(info["features"]) == set(json.loads((tmp_path / "meta" / "stats.json").read_text()))
    assert list(data["index"]) == list(range(info["total_frames"]))
    assert list(tasks.index) == ["Linear"]
    for index, episode in enumerate(episodes):
        row = table.iloc[index]
        rows = data.iloc[row["dataset_from_index"] : row["dataset_to_index"]]
        assert list(rows["episode_index"]) == [index] * len(episode)
        assert list(rows["intervention"]) == episode.in_control.tolist()
        assert np.array_equal(np.stack(list(rows["task_features"])), episode.transitions["features"].numpy())
        # A vector of one number is a number to LeRobot.
        assert np.array_equal(rows["policy_action"].to_numpy(), episode.robot_action[:, 0].numpy())
        assert bool(rows["next.success"].iloc[-1]) == episode.info.success


def test_lerobot_needs_to_know_how_long_a_step_is(tmp_path):
    episodes = episodes_of(_rollout(), dataclasses.replace(INFO, step_s=None))
    with pytest.raises(RecordingError, match="how long a step is"):
        export_lerobot(episodes, tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()


def _cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def _foreign(file: Path) -> None:
    with h5py.File(file, "w") as written:
        written.create_group("data")


def _newer(file: Path) -> None:
    with h5py.File(file, "a") as written:
        written["data"].attrs["recording_version"] = 9


def _uneven(file: Path) -> None:
    with h5py.File(file, "a") as written:
        demo = written["data/demo_0"]
        del demo["actions"]
        demo["actions"] = [[0.0]]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (Path.unlink, "not found"),
        (_cut_short, "damaged"),
        (lambda file: file.write_text("no"), "damaged"),
        (_foreign, "not a recording of this project"),
        (_newer, "version 9"),
        (_uneven, "different lengths"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, harm, message):
    file = tmp_path / "episode.hdf5"
    write_episode(file, _episodes()[0])
    harm(file)
    with pytest.raises(RecordingError, match=message) as error:
        read_episodes(file)
    assert "\n" not in str(error.value)


def test_recordings_that_do_not_belong_together_are_refused():
    first, second, *_ = _episodes()
    other = dataclasses.replace(second, info=dataclasses.replace(second.info, feature_names=("state", "pull")))
    with pytest.raises(RecordingError, match="feature_names"):
        rollout_of([first, other])


def test_places_without_recordings_are_refused(tmp_path):
    with pytest.raises(RecordingError, match="not found"):
        find_recordings([tmp_path / "nowhere"])
    with pytest.raises(RecordingError, match="no recordings"):
        find_recordings([tmp_path])


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.mereq_algo.test_recording import _episodes
from mereq_algo.recording import write_episode
episode = _episodes()[0]
print("ready", flush=True)
for number in range(100_000):
    write_episode(Path(sys.argv[1]) / f"episode_{number:05d}.hdf5", episode)
    print(number, flush=True)
"""


def test_a_kill_at_any_moment_loses_no_earlier_episode(tmp_path):
    """The writer says when an episode is done; then it is on the disk, whatever happens in the middle of the next."""
    episode = _episodes()[0]
    moments = random.Random(0)
    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    repository = Path(__file__).parents[2]
    for attempt in range(4):
        folder = tmp_path / str(attempt)
        command = [sys.executable, str(script), str(folder), str(repository)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
            said = [writer.stdout.readline() for _ in range(3)]
            time.sleep(moments.uniform(0.0, 0.05))  # writing takes 0.01 s
            writer.send_signal(signal.SIGKILL)
            said += writer.stdout.read().splitlines()
        files = find_recordings([folder])
        assert len(files) >= len(said) >= 3
        found, damaged = read_recordings(files)
        assert not damaged and len(found) == len(files)
        for _, one in found:
            _assert_same(one, episode)


def test_a_policy_is_named_by_its_weights():
    first, same, other = trained(0.0).policy, trained(0.0).policy, trained(0.1).policy
    assert policy_hash(first) == policy_hash(same) != policy_hash(other)


def _parts(root: Path, **overrides) -> tuple:
    env = TimedEnv(SupervisedLinearEnv(num_envs=32))
    folder = RunFolder.create(root, "Linear", "test")
    return env, SPEC, trained(0.0), trained(1.0), small_cfg(**overrides), folder, 3


def test_a_run_keeps_its_episodes_and_another_one_learns_from_them(tmp_path):
    first = SupervisionRunner(*_parts(tmp_path / "watched", max_rounds=2))
    record = first.learn()
    episodes = [episode for _, episode in gather([first.folder.recordings]).episodes]
    assert [episode.info.round for episode in episodes] == [0] * 8 + [1] * (len(episodes) - 8)
    assert sum(episode.expert_samples for episode in episodes) == record.expert_samples[-1]
    assert episodes[0].info.policy_sha256 == policy_hash(trained(0.0).policy) != episodes[-1].info.policy_sha256

    longer = {"max_steps": 400, "min_steps": 20, "final_rate": 1.0, "average_steps": 10}
    runner = RecordedRunner(episodes, *_parts(tmp_path / "recorded", inner=longer))
    learned = runner.learn()
    assert (learned.status, learned.rounds) == ("learned", 1)
    assert learned.expert_samples == record.expert_samples[-1:]
    assert learned.theta["push"] > 0.0
    assert learned.expert_return_gap_closed is not None and learned.expert_return_gap_closed > 0.3
    assert runner.folder.policy_file.is_file()


def test_who_supervises_in_person_needs_no_expert(tmp_path):
    """What they want need not have been said to anybody: there is nothing to train an expert with."""
    parts = list(_parts(tmp_path))
    parts[3] = None
    runner = RecordedRunner(_episodes(), *parts)
    record = runner.learn()
    assert (record.status, record.person) == ("learned", "recorded")
    assert list(record.evaluation) == ["prior", "aligned"] and record.expert_return_gap_closed is None
    runner.folder.write_params("arguments", {"settings": []})
    page = write_report(runner.folder).read_text(encoding="utf-8")
    assert "Recorded episodes show where a person took over" in page and "<em>expert</em>" not in page
    with pytest.raises(ConfigError, match="needs an expert policy, and there is none"):
        SupervisionRunner(*parts)


def test_recordings_of_another_task_are_refused(tmp_path):
    episodes = _episodes()
    wrong = [dataclasses.replace(one, info=dataclasses.replace(one.info, task="Other")) for one in episodes]
    with pytest.raises(RecordingError, match="of task Other, not Linear"):
        RecordedRunner(wrong, *_parts(tmp_path))


def test_a_dataset_names_every_number_and_has_no_empty_names(tmp_path):
    export_lerobot([episode_of_the_linear_task(num_steps=6)], tmp_path / "old")
    columns = {"obs_columns": ("position",), "action_columns": ("push",)}
    export_lerobot([episode_of_the_linear_task(num_steps=6, **columns)], tmp_path / "new")
    for folder, state, action in (("old", ["state"], ["action_0"]), ("new", ["position"], ["push"])):
        features = json.loads((tmp_path / folder / "meta" / "info.json").read_text())["features"]
        assert features["observation.state"]["names"] == features["observation.environment_state"]["names"] == state
        assert features["action"]["names"] == features["policy_action"]["names"] == action
        assert features["task_features"]["names"] == ["state", "push"]


@pytest.mark.parametrize("step_s", [0.05, 0.035, 7 / 120, 0.03])
def test_the_rate_of_a_dataset_is_that_of_the_recordings(tmp_path, step_s):
    import pandas as pd

    episodes = [episode_of_the_linear_task(num_steps=40, meaning=PolicyMeaning(1.0 / step_s), step_s=step_s)]
    export_lerobot(episodes, tmp_path / "dataset")
    info = json.loads((tmp_path / "dataset" / "meta" / "info.json").read_text())
    assert info["fps"] == pytest.approx(1.0 / step_s, rel=1e-9)
    assert isinstance(info["fps"], int) == (step_s == 0.05)
    data = pd.read_parquet(tmp_path / "dataset" / "data" / "chunk-000" / "file-000.parquet")
    assert data["timestamp"].iloc[-1] == pytest.approx(39 * step_s, rel=1e-6)
    export_robomimic(episodes, tmp_path / "all.hdf5")
    with h5py.File(tmp_path / "all.hdf5") as file:
        meta = json.loads(file["data"].attrs["env_args"])
    assert meta["env_kwargs"]["control_freq"] == pytest.approx(1.0 / step_s, rel=1e-9)


@pytest.mark.parametrize("number", [1, 2, 12])
def test_filter_keys_share_out_all_episodes(tmp_path, number):
    export_robomimic([episode_of_the_linear_task() for _ in range(number)], tmp_path / "all.hdf5")
    with h5py.File(tmp_path / "all.hdf5") as file:
        shares = {name: {demo.decode() for demo in file[f"mask/{name}"][()]} for name in file["mask"]}
        assert set(shares) == ({"train"} if number == 1 else {"train", "valid"})
        assert all(shares.values()) and set().union(*shares.values()) == set(file["data"])
        assert sum(map(len, shares.values())) == number


EXPORTER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import mereq_lab.datasets.lerobot as lerobot
from tests.mereq_algo.recordings import episode
def wait(path, content):  # after the tables, before the last files
    path.write_text("{")
    print("ready", flush=True)
    sys.stdin.read()
lerobot._write_json = wait
lerobot.export_lerobot([episode()], Path(sys.argv[1]))
"""


def test_a_killed_export_leaves_nothing_that_the_next_one_minds(tmp_path):
    script, dataset = tmp_path / "exporter.py", tmp_path / "out" / "dataset"
    script.write_text(EXPORTER)
    command = [sys.executable, str(script), str(dataset), str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as exporter:
        assert exporter.stdout is not None and exporter.stdout.readline() == "ready\n"
        assert not dataset.exists()
        export_lerobot([episode_of_the_linear_task()], tmp_path / "out" / "another")
        (unfinished,) = (path for path in dataset.parent.iterdir() if path.name.startswith("."))
        exporter.send_signal(signal.SIGKILL)
    assert not dataset.exists() and unfinished.exists()
    export_lerobot([episode_of_the_linear_task()], dataset)
    assert sorted(path.name for path in dataset.parent.iterdir()) == ["another", "dataset"]
    assert (dataset / "meta" / "info.json").stat().st_size > 1_000


def test_a_dataset_is_not_written_over_another(tmp_path):
    export_lerobot([episode_of_the_linear_task()], tmp_path / "dataset")
    before = (tmp_path / "dataset" / "meta" / "stats.json").read_bytes()
    with pytest.raises(WriteError, match="not empty"):
        export_lerobot([episode_of_the_linear_task(num_steps=8)], tmp_path / "dataset")
    assert (tmp_path / "dataset" / "meta" / "stats.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]
