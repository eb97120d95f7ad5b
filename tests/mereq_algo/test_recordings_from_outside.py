# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Recordings from anywhere: what a learner gets is clean and counted, and all else is refused in one line."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from mereq_algo.meaning import PolicyMeaning
from mereq_algo.recording import (
    RecordingError,
    find_recordings,
    gather,
    notes_on,
    read_episodes,
    rollout_of,
    write_episode,
)
from mereq_algo.recording.hdf5_reader import RecordingReader
from mereq_algo.records import RunFolder
from mereq_algo.runner import RecordedRunner, TimedEnv
from mereq_lab.datasets.lerobot import export_lerobot
from mereq_lab.datasets.robomimic import export_robomimic

from ..mereq_lab.test_damaged_files import nested
from .recordings import MEANING, crashes, episode, spins, with_column, with_info, write
from .supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained

NUMBERS = ("actions", "robot_actions", "obs/policy", "next_obs/policy", "features", "rewards")
OTHERS = ("metrics/success", "reward_terms/distance")
VECTORS = NUMBERS[:-1]
FLAGS = ("in_control", "terminated")


@pytest.fixture(scope="module")
def reader() -> Iterator[RecordingReader]:
    """One for all tests: its process takes a moment to start."""
    with RecordingReader() as reader:
        yield reader


@pytest.fixture
def refusal(reader) -> Callable[[Path], str]:
    """Returns the one line that a file is refused with."""

    def refuse(file: Path) -> str:
        with pytest.raises(RecordingError) as error:
            reader.read(file)
        assert "\n" not in str(error.value) and str(file) in str(error.value)
        return str(error.value)

    return refuse


HARMS = {
    **{f"{name} of 1e30": with_column(name, lambda old: old * 0 + 1e30) for name in (*NUMBERS, *OTHERS)},
    **{f"{name} of 1e300": with_column(name, lambda old: old.astype(np.float64) * 0 - 1e300) for name in NUMBERS},
    **{f"{name} above 1": with_column(name, lambda old: old * 0 + 1.01) for name in ("actions", "robot_actions")},
    **{f"{name} of one dimension": with_column(name, lambda old: old[:, 0]) for name in VECTORS},
    **{f"{name} of three dimensions": with_column(name, lambda old: old[..., None]) for name in VECTORS},
    **{f"{name} too wide": with_column(name, lambda old: np.concatenate((old, old), axis=1)) for name in VECTORS[1:]},
    **{f"{name} of no width": with_column(name, lambda old: old[:, :0]) for name in VECTORS},
    **{
        f"{name} of two dimensions": with_column(name, lambda old: old[:, None])
        for name in ("rewards", *FLAGS, *OTHERS)
    },
    **{f"{name} of whole numbers": with_column(name, lambda old: old.astype(np.int64)) for name in (*NUMBERS, *FLAGS)},
    **{f"{name} of floats": with_column(name, lambda old: old.astype(np.float32)) for name in FLAGS},
    **{f"{name} of text": with_column(name, lambda old: old.astype("S")) for name in (*NUMBERS, *FLAGS)},
    **{f"{name} a number": with_column(name, lambda old: 1.0) for name in (*NUMBERS, *FLAGS)},
    **{f"{name} too short": with_column(name, lambda old: old[1:]) for name in (*NUMBERS, *FLAGS, *OTHERS)},
    "task a number": with_info(task=3),
    "no task": with_info(task=...),
    "person a list": with_info(person=["Ada"]),
    "names a text": with_info(obs_names="state"),
    "a name a number": with_info(feature_names=["state", 1]),
    "one name too few": with_info(feature_names=["state"]),
    "a metric that is not there": with_info(metric_names=["success", "speed"]),
    "round a fraction": with_info(round=0.5),
    "seed below 0": with_info(seed=-1),
    "seed true": with_info(seed=True),
    "step of no length": with_info(step_s=0.0),
    "step of infinite length": with_info(step_s=math.inf),
    "discarded a text": with_info(discarded="no"),
    "versions a list": with_info(versions=["torch"]),
    "a version a number": with_info(versions={"torch": 2}),
    "an entry of the future": with_info(mood="good"),
    "meaning a text": with_info(meaning="20 Hz"),
    "meaning without rate": with_info(meaning={"actions": {}}),
    "meaning of rate 0": with_info(meaning={"rate_hz": 0}),
    "too few names of columns": with_info(obs_columns=["a", "b"]),
    "a metric named twice": with_info(metric_names=["success", "success"]),
    **{f"step of {value:.3g}": with_info(step_s=value) for value in (1e-320, 1e300)},
    "step of 400 digits": with_info(step_s=10**400),
    "round of 400 digits": with_info(round=10**400),
    **{
        f"meaning of {what}": with_info(meaning={"rate_hz": 20.0, **meaning})
        for what, meaning in {
            "400 digits": {"rate_hz": 10**400},
            "infinite rate": {"rate_hz": math.inf},
            "rate 1e-320": {"rate_hz": 1e-320},
            "a step of 400 digits": {"actions": {"a.step_size": [10**400]}},
            "an infinite step": {"actions": {"a.step_size": [math.inf]}},
            "a table": {"actions": {"a.step_size": {"b": 1.0}}},
            "lists 20 deep": {"actions": {"a.step_size": nested(20)}},
        }.items()
    },
}


@pytest.mark.parametrize("depth", [500, 1_000, 1_480])
@pytest.mark.parametrize("name", ["meaning", "versions", "person", "another"])
def test_what_is_nested_deeply_is_refused(refusal, tmp_path, name, depth):
    (file,) = write(tmp_path, "episode.hdf5")
    deep = "[" * depth + "]" * depth
    inner = {"meaning": f'{{"rate_hz": 20.0, "actions": {{"a": {deep}}}}}'}.get(name, deep)
    with h5py.File(file, "a") as written:
        demo: Any = written["data/demo_0"]
        info = {key: value for key, value in json.loads(demo.attrs["info"]).items() if key != name}
        demo.attrs["info"] = json.dumps(info)[:-1] + f', "{name}": {inner}}}'
    refusal(file)


def claims(name: str, shape: tuple[int, ...]) -> Callable[[Path], None]:
    """Gives a column a shape, and no data: HDF5 fills it with zeros when it is read."""

    def harm(file: Path) -> None:
        with h5py.File(file, "a") as written:
            demo: Any = written["data/demo_0"]
            del demo[name]
            demo.create_dataset(name, shape=shape, dtype="f4", chunks=tuple(min(side, 1_000) for side in shape))

    return harm


def claims_everything(file: Path) -> None:
    for name in VECTORS:
        claims(name, (1_000_000, 50))(file)
    for name in (*FLAGS, "rewards", *OTHERS):
        claims(name, (1_000_000,))(file)


@pytest.mark.parametrize(
    "harm",
    [
        claims_everything,
        claims("obs/policy", (900_000_000, 1)),
        claims("features", (6, 900_000_000)),
        claims("rewards", (2**40,)),
        *(claims(name, (1_000_000, 200)) for name in ("obs/policy", "features")),
    ],
)
def test_a_small_file_cannot_take_all_memory(refusal, tmp_path, harm):
    (file,) = write(tmp_path, "episode.hdf5")
    harm(file)
    assert file.stat().st_size < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refusal(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # [kB]


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_what_no_task_can_have_recorded_is_refused(refusal, tmp_path, harm):
    (file,) = write(tmp_path, "episode.hdf5")
    harm(file)
    assert "damaged" in refusal(file)


@pytest.mark.parametrize("content", [b"[]", b"3", b"null", b"{", b"\xff\xfe", b"[" * 50_000])
def test_what_a_recording_says_of_itself_may_be_anything(refusal, tmp_path, content):
    (file,) = write(tmp_path, "episode.hdf5")
    with h5py.File(file, "a") as written:
        written["data/demo_0"].attrs["info"] = np.bytes_(content)
    refusal(file)
    with h5py.File(file, "a") as written:
        written["data/demo_0"].attrs["info"] = content.decode("latin-1")
    refusal(file)


def test_double_precision_is_read_as_single(tmp_path):
    (file,) = write(tmp_path, "episode.hdf5")
    for name in NUMBERS:
        with_column(name, lambda old: old.astype(np.float64))(file)
    (found,) = read_episodes(file)
    torch.testing.assert_close(found.transitions["action"], episode().transitions["action"])


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_steps_that_are_not_finite_are_dropped_counted_and_said(reader, tmp_path, name, value):
    (file,) = write(tmp_path, "episode.hdf5")

    def spoil(old):
        old[4] = value  # the person acts
        return old

    with_column(name, spoil)(file)
    (found,) = reader.read(file)
    assert "1 of 6 recorded steps hold numbers that are not finite" in notes_on([found])[0]
    rollout = rollout_of([found])
    assert (rollout.num_steps, rollout.expert_samples, rollout.num_takeovers) == (5, 2, 1)
    for column in rollout.transitions.values():
        assert bool(torch.isfinite(column).all())
    assert bool(torch.isfinite(rollout.robot_action).all())


def test_an_exported_episode_ends_before_a_step_that_is_not_finite(tmp_path):
    spoilt = episode()
    spoilt.transitions["action"][4] = math.nan
    export_robomimic([episode(), spoilt], tmp_path / "all.hdf5")
    assert [len(found) for found in read_episodes(tmp_path / "all.hdf5")] == [6, 4]
    spoilt.transitions["action"][0] = math.nan
    with pytest.raises(RecordingError, match="whose numbers are all finite"):
        export_lerobot([spoilt], tmp_path / "dataset")


def test_a_run_counts_the_steps_that_it_dropped(tmp_path):
    env = TimedEnv(SupervisedLinearEnv(num_envs=32))
    spoilt = episode(num_steps=30, meaning=None)
    spoilt.transitions["action"][20] = math.nan
    folder = RunFolder.create(tmp_path, "Linear", "test")
    cfg = small_cfg(method="hg_dagger_ft", cloning={"updates_per_round": 5})
    runner = RecordedRunner([spoilt], env, SPEC, trained(0.0), trained(1.0), cfg, folder, 3)
    record = runner.learn()
    assert (record.num_rejected, record.expert_samples) == (1, [14])
    assert all(bool(torch.isfinite(weights).all()) for weights in runner.policy.state_dict().values())


BOUNDS = {"policy": ([-1.0], [1.0]), "features": ([0.0, 0.0], [1.0, 1.0])}


@pytest.mark.parametrize(
    ("column", "index", "value", "told"),
    [
        ("features", 1, 9e5, "features push is 0.25 to 900000, and there it is 0 to 1"),
        ("features", 0, -3.0, "features state is -3 to"),
        ("obs", 0, 40.0, "obs/policy state_0 is -0.5 to 40, and there it is -1 to 1"),
        ("next_obs", 0, -40.0, "next_obs/policy state_0 is -40 to"),
    ],
)
def test_what_the_task_cannot_show_is_not_learned_from(tmp_path, column, index, value, told):
    spec = dataclasses.replace(SPEC, bounds=BOUNDS, obs_columns=("state_0",))
    env = TimedEnv(SupervisedLinearEnv(num_envs=32))
    parts = (env, spec, trained(0.0), trained(1.0), small_cfg(), RunFolder.create(tmp_path, "Linear", "test"), 3)
    absurd = episode(meaning=None)
    RecordedRunner([absurd], *parts)
    absurd.transitions[column] = absurd.transitions[column].clone()  # observations share their memory
    absurd.transitions[column][4, index] = value
    with pytest.raises(RecordingError, match="task Linear cannot show") as error:
        RecordedRunner([absurd], *parts)
    assert told in str(error.value)
    absurd.transitions["action"][4] = math.nan  # the step is dropped anyway
    RecordedRunner([absurd], *parts)


@pytest.mark.parametrize("changes", [{"task": "\ud800"}, {"metric_names": ("success", "success")}], ids=str)
def test_an_export_that_cannot_hold_a_recording_says_so(tmp_path, changes):
    odd = episode(**changes)
    if "metric_names" in changes:
        odd = dataclasses.replace(odd, metrics=odd.metrics.expand(-1, 2))
    for export, place in ((export_lerobot, tmp_path / "dataset"), (export_robomimic, tmp_path / "all.hdf5")):
        try:
            export([odd], place)
        except RecordingError as error:
            assert "cannot hold these recordings" in str(error) and "\n" not in str(error)
            assert not place.exists()


def test_recordings_without_an_intervention_are_told(tmp_path):
    (note,) = notes_on([episode(intervenes=False), episode(intervenes=False)])
    assert "in none of 2 recordings does a person intervene" in note
    assert notes_on([episode(), episode(intervenes=False)]) == []


@pytest.mark.parametrize("harm", [spins, crashes])
def test_a_file_that_hdf5_does_not_survive_is_damaged_and_the_next_one_is_read(tmp_path, harm):
    good, bad = write(tmp_path, "good.hdf5", "bad.hdf5")
    harm(bad)
    with RecordingReader(limit_s=5.0) as reader:
        assert len(reader.read(good)) == 1  # the reader's process is up: what follows is no slow start
        begun = time.monotonic()
        with pytest.raises(RecordingError, match=r"HDF5 did not finish reading it|HDF5 ended while reading it"):
            reader.read(bad)
        assert time.monotonic() - begun < 60.0
        assert len(reader.read(good)) == 1


def test_all_damaged_files_are_named_and_can_be_skipped(tmp_path):
    good, second, third, *others = write(tmp_path, *(f"episode_{number}.hdf5" for number in range(40)))
    for file in (second, *others[1:]):
        file.write_bytes(b"no")
    crashes(third)
    damaged = [second, third, *others[1:]]
    with pytest.raises(RecordingError) as error:
        gather([tmp_path])
    for part in ("38 of 40 recordings cannot be read", *map(str, damaged), "--skip-damaged"):
        assert part in str(error.value)
    found = gather([tmp_path], skip_damaged=True)
    assert [file for file, _ in found.episodes] == [good, others[0]]
    assert all(str(file) in found.left_out[0] for file in damaged)
    with pytest.raises(RecordingError, match="2 of 2"):
        gather([second, third], skip_damaged=True)


def too_deep(folder: Path) -> None:
    """Makes folders in folders that no path reaches, whoever asks: its name would be longer than the system takes."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("f" * 250, dir_fd=here)
        there = os.open("f" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(here)


def test_folders_and_places_that_cannot_be_read_are_named_with_the_damaged_files_and_can_be_skipped(tmp_path):
    good, bad = write(tmp_path / "run", "episode_001.hdf5", "episode_002.hdf5")
    bad.write_bytes(b"no")
    too_deep(tmp_path / "run")
    unreadable, missing = Path("/", "n" * 300), tmp_path / "nowhere"
    places = [tmp_path / "run", unreadable]
    with pytest.raises(RecordingError) as error:
        gather(places)
    for part in ("1 of 2 recordings and 2 places cannot be read", str(bad), "f" * 250, str(unreadable), "too long"):
        assert part in str(error.value)
    assert "\n" not in str(error.value) and "--skip-damaged" in str(error.value)
    found = gather(places, skip_damaged=True)
    assert [file for file, _ in found.episodes] == [good]
    assert str(unreadable) in found.left_out[0] and "f" * 250 in found.left_out[0]
    with pytest.raises(RecordingError, match="places cannot be read"):
        find_recordings(places)
    with pytest.raises(RecordingError, match=f"recording not found: {missing}; recording not found: {missing}2"):
        gather([*places, missing, Path(f"{missing}2")], skip_damaged=True)
    with pytest.raises(RecordingError, match="cannot be read"):
        gather([unreadable], skip_damaged=True)


def test_recordings_count_once_however_they_are_named(tmp_path, monkeypatch):
    run = tmp_path / "run"
    write(run, "round_01/episode_001.hdf5", "round_01/episode_002.hdf5")
    (tmp_path / "link").symlink_to(run)
    (tmp_path / "file.hdf5").symlink_to(run / "round_01" / "episode_001.hdf5")
    os.link(run / "round_01" / "episode_002.hdf5", tmp_path / "hard.hdf5")
    monkeypatch.chdir(tmp_path)
    names = (run, Path("run"), Path("./run/../run"), Path("link"), Path("file.hdf5"), Path("hard.hdf5"), tmp_path)
    assert [file.name for file in find_recordings(names)] == ["episode_001.hdf5", "episode_002.hdf5"]
    assert len(gather(names).episodes) == 2


def test_links_to_runs_are_followed_and_no_further(tmp_path):
    write(tmp_path / "run", "episode_001.hdf5")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "run")
    (tmp_path / "run" / "loop").symlink_to(tmp_path / "run")
    (folder / "nowhere.hdf5").symlink_to(tmp_path / "nowhere")
    (folder / "itself.hdf5").symlink_to(folder / "itself.hdf5")
    assert len(find_recordings([folder])) == 1


def test_episodes_come_in_the_order_of_their_numbers(tmp_path):
    numbers = [1, 2, 9, 10, 99, 100, 999, 1000, 1001]
    write(tmp_path / "round_02", *(f"episode_{number:03d}.hdf5" for number in reversed(numbers)))
    write(tmp_path / "round_100", "episode_001.hdf5")
    files = find_recordings([tmp_path])
    assert [int(file.stem.removeprefix("episode_")) for file in files] == [*numbers, 1]


OTHER_RATE = {"step_s": 0.1, "meaning": dataclasses.replace(MEANING, rate_hz=10.0)}
OTHER_STEP = {"meaning": dataclasses.replace(MEANING, actions={"tool.step_size": [0.02, 0.02, 0.02]})}
OTHER_SIGHT = {"meaning": dataclasses.replace(MEANING, observations={"state.scale": 2.0})}
OLD, OLD_RATE = {"meaning": None}, {"meaning": None, "step_s": 0.1}


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ({}, OTHER_RATE, "rate_hz 10 and 20"),
        ({}, OTHER_STEP, "tool.step_size"),
        ({}, OTHER_SIGHT, "state.scale"),
        ({}, OLD, "of an earlier version, do not"),
        (OLD, OLD_RATE, "10 Hz and 20 Hz"),
        (OLD, {"meaning": None, "step_s": None}, "unknown and 20 Hz"),
    ],
)
def test_recordings_of_different_settings_are_not_mixed(tmp_path, one, other, told):
    mixed = [episode(**one), episode(**other)]
    for use in (
        rollout_of,
        lambda episodes: export_lerobot(episodes, tmp_path / "dataset"),
        lambda episodes: export_robomimic(episodes, tmp_path / "all.hdf5"),
    ):
        with pytest.raises(RecordingError, match="do not belong together") as error:
            use(mixed)
        assert told in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())
    thrown = [episode(**one), episode(**other, discarded=True)]
    assert rollout_of(thrown).num_supervised == 1


@pytest.mark.parametrize(
    ("info", "here", "told"),
    [
        (OTHER_RATE, MEANING, "recorded at 10 Hz, here 20 Hz; open the task as it was recorded: env.decimation=10,"),
        (OTHER_STEP, MEANING, "step_size [0.02 0.02 0.02], here [0.05 0.05 0.05]"),
        (OTHER_STEP, MEANING, "recorded: env.actions.tool.step_size=[0.02,0.02,0.02], or --prior RUN"),
        (OTHER_SIGHT, MEANING, "recorded: env.observations.policy.state.scale=2.0,"),
        (OLD_RATE, MEANING, "recorded at 10 Hz, here 20 Hz; open the task as it was recorded: env.decimation=10,"),
        ({}, MEANING, None),
        (OLD, MEANING, None),
        ({"meaning": None, "step_s": None}, MEANING, None),
        ({}, None, None),
    ],
)
def test_one_learns_only_from_recordings_of_the_settings_here(tmp_path, info, here, told):
    spec = dataclasses.replace(SPEC, meaning=here)
    env = TimedEnv(SupervisedLinearEnv(num_envs=32))
    folder = RunFolder.create(tmp_path, "Linear", "test")
    parts = (env, spec, trained(0.0), trained(1.0), small_cfg(), folder, 3)
    if told is None:
        RecordedRunner([episode(**info)], *parts)
    else:
        with pytest.raises(RecordingError, match="recorded at") as error:
            RecordedRunner([episode(**info)], *parts)
        assert told in str(error.value)


def test_old_recordings_are_learned_from_with_a_note():
    (note,) = notes_on([episode(meaning=None)])
    assert "1 of 1 recordings are of an earlier version" in note


def test_what_actions_mean_is_written_and_read(tmp_path):
    meaning = PolicyMeaning(1 / 0.035, {"tool.step_size": [0.01, 0.02, 0.03]}, {"state.clip": [-1.0, 1.0]})
    write_episode(tmp_path / "episode.hdf5", episode(meaning=meaning))
    (found,) = read_episodes(tmp_path / "episode.hdf5")
    assert found.info.meaning is not None and found.info.meaning.differences(meaning) == []
