# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""An episode counts once, however many files hold it, and whatever was said of it since."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path

import pytest
import torch

from mereq_algo.recording import RecordingError, gather, read_episodes, write_episode
from mereq_lab.datasets.robomimic import export_robomimic
from mereq_lab.live.descriptors import PatientFiles
from mereq_lab.live.quiet_log import QuietLog
from mereq_lab.live.round_files import RoundFiles

from .recordings import INFO, episode, with_info, write


@pytest.fixture
def run(tmp_path) -> Path:
    """A run with three episodes."""
    for number, value in enumerate((0.1, 0.2, 0.3), start=1):
        one = episode(recorded_at="2026-11-30T10:00:00+00:00")  # a round of the synthetic person has one time
        one.transitions["action"] *= value
        write_episode(tmp_path / "run" / "round_01" / f"episode_{number:03d}.hdf5", one)
    return tmp_path / "run"


def files_of(folder: Path, *, told: int) -> list[str]:
    """Names of the files whose episodes count, and how many sentences tell of the others."""
    found = gather([folder])
    assert len(found.left_out) == told, found.left_out
    return [file.name for file, _ in found.episodes]


EPISODES = ["episode_001.hdf5", "episode_002.hdf5", "episode_003.hdf5"]


def exported(run: Path, file: Path) -> None:
    export_robomimic([one for _, one in gather([run]).episodes], file)


@pytest.mark.parametrize("name", ["all.hdf5", "zzz.hdf5"], ids=["before the run", "behind it"])
def test_an_export_beside_the_run_is_left_out_and_named(run, name):
    exported(run, run / name)
    assert files_of(run, told=1) == EPISODES
    (told,) = gather([run]).left_out
    assert told == (
        f"3 of 3 episodes of {run / name} are copies of those in {run / 'round_01' / EPISODES[0]} and 2 more files"
    )


def test_an_export_alone_holds_all_episodes(run):
    exported(run, run / "all.hdf5")
    shutil.rmtree(run / "round_01")
    assert files_of(run, told=0) == ["all.hdf5"] * 3


def test_copied_folders_and_an_export_of_an_export(run, tmp_path):
    shutil.copytree(run, tmp_path / "copy")
    exported(run, tmp_path / "first.hdf5")
    exported(tmp_path / "first.hdf5", tmp_path / "second.hdf5")
    assert files_of(tmp_path, told=5) == EPISODES


def test_a_file_that_holds_an_episode_twice(tmp_path):
    export_robomimic([episode(), episode(), episode(recorded_at="later")], tmp_path / "all.hdf5")
    found = gather([tmp_path])
    assert len(found.episodes) == 2 and "1 of 3 episodes" in found.left_out[0]


def test_of_an_episode_that_an_export_has_cut_the_whole_counts(run):
    """An export ends before a step that is not finite, and calls the episode no success."""
    (file,) = write(run / "round_01", "episode_004.hdf5", success=True)
    (spoilt,) = read_episodes(file)
    spoilt.transitions["action"][4] = math.nan
    write_episode(file, spoilt)
    exported(run, run / "all.hdf5")
    assert [len(one) for one in read_episodes(run / "all.hdf5")] == [6, 6, 6, 4]
    found = gather([run])
    assert [len(one) for _, one in found.episodes] == [6] * 4 and len(found.left_out) == 1


def test_other_episodes_are_no_copies(tmp_path):
    """Of a deterministic simulation that ran twice; of several robots; of another policy; and by what was done."""
    others: list[dict] = [{"recorded_at": "later"}, {"robot": 1}, {"round": 1}, {"policy_sha256": "1"}, {"task": "T"}]
    changed = [episode() for _ in range(3)]
    changed[0].transitions["obs"][3] += 1e-6
    changed[1] = dataclasses.replace(changed[1], robot_action=changed[1].robot_action + 1e-6)
    changed[2] = dataclasses.replace(changed[2], in_control=torch.zeros(6, dtype=torch.bool))
    distinct = [episode(), *(episode(**other) for other in others), *changed, episode(num_steps=7)]
    for number, one in enumerate(distinct):
        write_episode(tmp_path / f"episode_{number:03d}.hdf5", one)
    assert len(files_of(tmp_path, told=0)) == len(distinct)


def test_old_files_without_a_time_are_known_by_what_was_done(tmp_path):
    write(tmp_path, "episode_001.hdf5", "episode_002.hdf5", recorded_at="", meaning=None)
    assert files_of(tmp_path, told=1) == ["episode_001.hdf5"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"success": False, "marked_by": "person"}, "success None and False; marked_by 'task' and 'person'"),
        ({"discarded": True}, "discarded False and True"),
        ({"note": "person lost"}, "note '' and 'person lost'"),
        ({"person": "Bob"}, "person 'Ada' and 'Bob'"),
        ({"meaning": None}, "meaning"),
    ],
)
def test_copies_that_say_something_else_are_refused_and_both_are_named(run, tmp_path, changes, told):
    shutil.copytree(run, tmp_path / "copy")
    changed = tmp_path / "copy" / "round_01" / EPISODES[1]
    with_info(**changes)(changed)
    for skip_damaged in (False, True):  # it is not damaged
        with pytest.raises(RecordingError) as error:
            gather([run, tmp_path / "copy"], skip_damaged)
        for part in (str(run / "round_01" / EPISODES[1]), str(changed), told):
            assert part in str(error.value)
        assert EPISODES[0] not in str(error.value) and "\n" not in str(error.value)


def test_versions_of_packages_may_differ(run, tmp_path):
    shutil.copytree(run, tmp_path / "copy")
    with_info(versions={"torch": "9"})(tmp_path / "copy" / "round_01" / EPISODES[0])
    assert files_of(tmp_path, told=3) == EPISODES


def round_files(folder: Path, skip_damaged: bool = False) -> RoundFiles:
    return RoundFiles(folder, INFO, PatientFiles(QuietLog()), skip_damaged)


def test_a_round_that_goes_on_counts_copies_once(run):
    shutil.copy(run / "round_01" / EPISODES[0], run / "round_01" / "episode_004.hdf5")
    files = round_files(run)
    assert [file.name for file, _ in files.left_by_others()] == EPISODES
    assert "episode_004.hdf5" in files.left_out[0]


def test_a_round_of_one_damaged_file_can_go_on_too(tmp_path):
    (file,) = write(tmp_path / "round_01", "episode_001.hdf5")
    file.write_bytes(b"no")
    with pytest.raises(RecordingError, match="--skip-damaged goes on"):
        round_files(tmp_path).left_by_others()
    assert round_files(tmp_path, skip_damaged=True).left_by_others() == []


def test_a_round_that_goes_on_names_all_damaged_files_and_can_skip_them(run):
    damaged = [run / "round_01" / f"episode_{number:03d}.hdf5" for number in (2, 4, 5)]
    for file in damaged:
        file.write_bytes(b"no")
    with pytest.raises(RecordingError) as error:
        round_files(run).left_by_others()
    for part in ("3 of 5 recordings cannot be read", *map(str, damaged), "--skip-damaged goes on"):
        assert part in str(error.value)
    files = round_files(run, skip_damaged=True)
    assert [file.name for file, _ in files.left_by_others()] == [EPISODES[0], EPISODES[2]]
    assert all(str(file) in files.left_out[0] for file in damaged)
    assert files.number() == 5 and files.add(episode()).name == "episode_006.hdf5", "nothing is written over"
