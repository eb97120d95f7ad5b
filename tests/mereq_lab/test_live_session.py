# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Live episodes: what counts, what is on disk, what the buttons do."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mereq_algo.recording import find_recordings, read_episodes
from mereq_lab.live import Control, Hello, RoundOrder

from .live_stand import PROPOSED, Stand

pytestmark = pytest.mark.realtime

ADA = Hello("Ada", "a")


@pytest.fixture
def stand(tmp_path):
    stand = Stand(tmp_path / "recordings", serve=False)
    stand.seats.take(0, "tab", ADA)
    yield stand
    stand.close()


WATCHING = Control()


def keep_watching(stand: Stand, seconds: float, control: Control = WATCHING) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        stand.seats.steer("tab", control)
        time.sleep(0.02)


def infos(folder: Path) -> list:
    return [read_episodes(file)[0].info for file in find_recordings([folder])]


def test_what_was_watched_is_recorded(stand):
    stand.begin(episodes=2)
    keep_watching(stand, 0.3)
    keep_watching(stand, 0.3, Control(True, (0.0, 1.0, 0.0, 0.0)))
    while stand.kept is None:
        keep_watching(stand, 0.1)
    kept = stand.end()
    assert [file for file, _ in kept] == find_recordings([stand.folder])
    first = read_episodes(kept[0][0])[0]
    assert (first.info.person, first.info.marked_by, first.info.discarded) == ("Ada", "task", False)
    assert first.info.success and len(first) == 20
    assert 4 <= first.expert_samples <= 9
    ours = first.in_control
    torch.testing.assert_close(first.robot_action[:, 0], torch.full((20,), PROPOSED), atol=0.01, rtol=0.0)
    assert torch.equal(first.transitions["action"][~ours], first.robot_action[~ours])
    assert first.transitions["action"][ours][2:-2, 1].min() > 0.99, "full speed to the left"
    torch.testing.assert_close(first.transitions["features"], first.transitions["next_obs"])
    assert kept[1][1].expert_samples == 0


def test_an_episode_is_on_disk_before_the_next_begins(stand):
    stand.begin(episodes=3)
    while len(stand.points.log) < 25:
        keep_watching(stand, 0.05)
    assert len(find_recordings([stand.folder])) == 1


def test_an_episode_is_on_disk_when_it_is_over_not_when_all_are(tmp_path):
    stand = Stand(tmp_path / "recordings", num_robots=2, serve=False)
    stand.seats.take(0, "tab", ADA)
    stand.seats.take(1, "other", Hello("Bob", "b"))
    stand.begin(episodes=2)
    for _ in range(5):
        stand.seats.steer("other", WATCHING)
        keep_watching(stand, 0.05)
    stand.panel.press("discard", 0)
    while not list(stand.folder.rglob("episode*.hdf5")):
        stand.seats.steer("other", WATCHING)
        keep_watching(stand, 0.02)
    (info,) = infos(stand.folder)
    assert info.robot == 0 and info.discarded and len(stand.points.log) < 18, "the other robot is not done"
    stand.panel.finish()
    stand.close()


def test_what_is_thrown_away_while_others_go_on_is_on_disk_at_once(tmp_path):
    stand = Stand(tmp_path / "recordings", num_robots=2, max_episode_length=40, serve=False)
    stand.seats.take(0, "tab", ADA)
    stand.seats.take(1, "other", Hello("Bob", "b"))
    stand.points.lengths = torch.tensor([8, 40])
    stand.begin(episodes=2)
    while not list(stand.folder.rglob("episode*.hdf5")):
        stand.seats.steer("other", WATCHING)
        keep_watching(stand, 0.02)
    assert not infos(stand.folder)[0].discarded
    stand.panel.press("discard", 0)
    for _ in range(5):
        stand.seats.steer("other", WATCHING)
        keep_watching(stand, 0.05)
    (info,) = infos(stand.folder)
    assert info.discarded and len(stand.points.log) < 38, "the other robot is not done"
    stand.close()


def test_a_pause_at_the_end_of_an_episode_does_not_keep_it_from_the_disk(stand):
    def look() -> list[dict]:
        if stand.env.num_steps == 20:
            stand.panel.press("pause", 0)
        return [{}]

    stand.session._figures = look
    stand.begin(episodes=1)
    while stand.panel.snapshot(0)["phase"] != "paused":
        keep_watching(stand, 0.02)
    (info,) = infos(stand.folder)
    assert info.person == "Ada" and not info.discarded and stand.kept is None


def test_once_it_does_not_count_it_never_does_again(stand):
    """So that whoever is told so may look away."""
    stand.begin(episodes=1)
    keep_watching(stand, 0.3)
    time.sleep(0.5)
    verdicts = []
    while len(stand.points.log) < 19:
        verdicts.append(stand.person.watch[0].is_whole)
        keep_watching(stand, 0.02)
    assert verdicts and not any(verdicts)
    keep_watching(stand, 0.2)
    assert infos(stand.folder)[0].discarded


def test_an_episode_is_on_disk_before_it_is_judged(stand):
    stand.session.judging_s = 5.0
    stand.begin(episodes=1)
    while stand.panel.snapshot(0)["phase"] != "judging":
        keep_watching(stand, 0.02)
    (before,) = infos(stand.folder)
    stand.panel.press("failure", 0)
    stand.end()
    (after,) = infos(stand.folder)
    assert (before.marked_by, after.marked_by, after.success) == ("task", "person", False)
    assert before.recorded_at and not after.discarded


def test_nobody_there_means_nothing_happens(tmp_path):
    stand = Stand(tmp_path, serve=False)
    stand.begin(episodes=1)
    time.sleep(0.4)
    assert stand.points.log == [] and stand.panel.snapshot(None)["phase"] == "nobody there"
    stand.close()
    assert stand.end() == []


def test_a_silent_browser_saw_nothing(stand):
    """It holds its seat, but after its first words does not say another one."""
    stand.begin(episodes=1)
    keep_watching(stand, 0.1)
    time.sleep(1.2)
    stand.close()
    assert stand.end() == []
    (info, *_) = infos(stand.folder)
    assert info.discarded and "input late in" in info.note


def test_a_robot_that_was_left_does_not_count(stand):
    stand.begin(episodes=1)
    keep_watching(stand, 0.4)
    stand.seats.lose("tab")
    time.sleep(0.8)
    (info,) = infos(stand.folder)
    assert info.discarded and info.note == "person lost" and info.person == "Ada"
    steps = len(stand.points.log)
    time.sleep(0.2)
    assert len(stand.points.log) == steps, "nobody is there for the next"


def test_buttons(stand):
    stand.begin(episodes=2)
    keep_watching(stand, 0.3)
    stand.panel.press("discard", 0)
    keep_watching(stand, 0.4)
    (info,) = infos(stand.folder)
    assert info.discarded and info.note == ""
    assert len(read_episodes(find_recordings([stand.folder])[0])[0]) < 15, "it ends at once"
    stand.panel.press("failure", 0)
    while stand.kept is None and len(infos(stand.folder)) < 2:
        keep_watching(stand, 0.05)
    assert (infos(stand.folder)[1].success, infos(stand.folder)[1].marked_by) == (False, "person")
    while stand.kept is None:
        keep_watching(stand, 0.05)
    kept = stand.end()
    assert len(kept) == 2 and kept[1][1].info.marked_by == "task", "a mark is of one episode"


def test_an_episode_can_be_judged_when_it_is_over(stand):
    stand.session.judging_s = 5.0
    stand.begin(episodes=1)
    for button, number in (("discard", 1), ("failure", 2)):
        while stand.panel.snapshot(0)["phase"] != "judging":
            keep_watching(stand, 0.05)
        assert len(infos(stand.folder)) == number
        stand.panel.press(button, 0)
        while stand.kept is None and stand.panel.snapshot(0)["phase"] == "judging":
            keep_watching(stand, 0.02)
    stand.end()
    first, second = infos(stand.folder)
    assert first.discarded and (second.discarded, second.success, second.marked_by) == (False, False, "person")
    assert len(read_episodes(find_recordings([stand.folder])[0])[0]) == 20, "nothing was cut"


def test_a_round_that_was_interrupted_goes_on(stand):
    """What is on disk counts, and is not written over."""
    stand.begin(episodes=3)
    while len(stand.points.log) < 30:
        keep_watching(stand, 0.05)
    stand.panel.finish()
    assert len(stand.end()) == 1
    before = {file: file.read_bytes() for file in find_recordings([stand.folder])}
    again = Stand(stand.folder, serve=False)
    again.seats.take(0, "tab", ADA)
    again.begin(episodes=3)
    while again.kept is None:
        keep_watching(again, 0.05)
    assert len(again.end()) == 3 and len(again.points.log) == 40
    firsts = [read_episodes(file)[0].robot_action[0] for file in find_recordings([stand.folder])]
    assert len({tuple(first.tolist()) for first in firsts}) == len(firsts), "nothing is drawn twice"
    steps = len(again.points.log)
    again.kept = None
    again.begin(episodes=3)
    assert len(again.end()) == 3 and len(again.points.log) == steps, "a round that is complete asks for nothing"
    assert all(file.read_bytes() == content for file, content in before.items())
    again.close()


def test_pause_stops_time(stand):
    stand.begin(episodes=1)
    keep_watching(stand, 0.3)
    stand.panel.press("pause", 0)
    keep_watching(stand, 0.2)
    steps = len(stand.points.log)
    assert stand.panel.snapshot(0)["phase"] == "paused"
    keep_watching(stand, 0.5)
    assert len(stand.points.log) == steps
    stand.panel.press("resume", 0)
    while stand.kept is None:
        keep_watching(stand, 0.05)
    assert len(stand.end()) == 1 and stand.env.num_missed <= 1, "a pause is no missed deadline"


def test_finish_ends_now_and_stop_ends_with_the_round(stand):
    stand.begin(episodes=2, most=50, threshold=0.5)
    stand.panel.press("stop", 0)
    while stand.kept is None:
        keep_watching(stand, 0.05)
    assert len(stand.end()) == 2, "and does not watch on"
    stand.kept = None
    stand.panel._ending = None
    stand.begin(episodes=2, index=1)
    keep_watching(stand, 0.3)
    stand.panel.press("finish", 0)
    started = time.monotonic()
    assert stand.end() == [] and time.monotonic() - started < 0.5


def test_who_hardly_intervenes_watches_on(stand):
    stand.begin(episodes=1, most=3, threshold=0.05)
    while stand.kept is None:
        keep_watching(stand, 0.05)
    assert len(stand.end()) == 3


def test_several_short_interventions_say_more_than_a_long_one(stand):
    stand.begin(episodes=1)
    while stand.kept is None:
        keep_watching(stand, 0.05)
    file, episode = stand.end()[0]
    order = RoundOrder(0, 0, episodes=1, most_episodes=2, threshold=0.35)
    for turns, wanted in (("NNNNNNNNPPPPPPPPPPPP", 2), ("NNPPPNNPPPNNPPPNNPPP", 1)):
        in_control = torch.tensor([turn == "P" for turn in turns])
        assert stand.session._num_wanted(order, [(file, replace(episode, in_control=in_control))]) == wanted


def test_a_step_takes_its_time(stand):
    stand.begin(episodes=3)
    while stand.kept is None:
        keep_watching(stand, 0.05)
    times = torch.tensor([start for start, _ in stand.points.log])
    within = times.diff()[:18]  # of the first episode
    assert within.mean() == pytest.approx(0.05, abs=0.002)
    assert stand.env.num_missed <= 3


def test_several_robots_several_people(tmp_path):
    stand = Stand(tmp_path, num_robots=3, serve=False)
    bob = Hello("Bob", "b")
    stand.seats.take(0, "tab", ADA)
    stand.seats.take(2, "other", bob)
    stand.begin(episodes=2)
    while stand.kept is None:
        stand.seats.steer("other", Control(True, (-1.0, 0.0, 0.0, 0.0)))
        keep_watching(stand, 0.03)
    episodes = [episode for _, episode in stand.end()]
    assert [(episode.info.person, episode.info.robot) for episode in episodes] == [("Ada", 0), ("Bob", 2)]
    assert episodes[0].expert_samples == 0 and episodes[1].expert_samples >= 18
    stand.close()
