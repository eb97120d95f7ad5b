# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Episodes under a live person's eyes, each on disk before the next begins."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tensordict import TensorDict

from mereq_algo.intervention import SupervisedRollout, collect_supervised_rollout
from mereq_algo.irl import is_probably_above
from mereq_algo.networks import GaussianPolicy
from mereq_algo.recording import RecordedEpisode, RecordingInfo, episodes_of, policy_hash, time_now
from mereq_algo.runner.supervision import begin_round

from ..plain_text import plain
from .descriptors import PatientFiles
from .live_person import LivePerson, Watch
from .panel import Panel
from .quiet_log import QuietLog
from .realtime_env import RealtimeEnv
from .round_files import RoundFiles
from .seats import Seats

JUDGING_S = 1.5
"""Time after an episode in which it can still be marked or discarded [s]."""


@dataclass(frozen=True)
class RoundOrder:
    """What a round of live supervision is to be."""

    index: int
    """Round of the run, from 0 on."""

    seed: int
    """Seed of the episodes' starts and of the policy's actions."""

    episodes: int
    """Episodes that count, after which the round is over if the person had to intervene."""

    most_episodes: int
    """The same where they hardly did: only many episodes can show that they are content."""

    threshold: float
    """Intervention rate that is the goal: they watch on, twice as many episodes each time, until theirs is probably
    above."""

    intervention_length: float = 1.0
    """Steps that an intervention lasts at least; see :func:`is_probably_above`."""

    confidence: float = 0.8
    """Probability that "probably" stands for. Range: (0.5, 1)."""


class LiveSession:
    """Runs rounds; the page tells of them, and its buttons act on them."""

    def __init__(
        self,
        env: RealtimeEnv,
        person: LivePerson,
        seats: Seats,
        panel: Panel,
        folder: Path,
        info: RecordingInfo,
        figures: Callable[[], list[dict[str, Any]]] | None = None,
        skip_damaged: bool = False,
    ) -> None:
        """Put the parts together.

        Args:
            env: The robots, one for each seat.
            person: The hands of all seats.
            seats: Who sits there.
            panel: What the page shows, and its buttons.
            folder: Where recordings go.
            info: What all recordings say of themselves.
            figures: Called after each step: what the page shows of each robot beside.
            skip_damaged: Whether to go on without recordings of an interrupted round that cannot be read.
        """
        self._env = env
        self._person = person
        self._seats = seats
        self._panel = panel
        self.folder = folder
        self._info = info
        self._figures = figures
        self._skip_damaged = skip_damaged
        self._log = QuietLog()
        self.patient = PatientFiles(self._log)
        """Waits where too many files are open."""
        self.judging_s = JUDGING_S
        self._max_steps = int(torch.as_tensor(env.max_episode_length).max())

    def run_round(self, policy: GaussianPolicy, order: RoundOrder) -> list[tuple[Path, RecordedEpisode]]:
        """Let people watch until there are enough episodes, or somebody ends the run.

        Args:
            policy: What drives the robots.
            order: What the round is to be.

        Returns:
            The episodes to learn from, with their files; those that were discarded are on disk alone.

        Raises:
            RecordingError: What an interrupted run left of the round cannot be read.
            WriteError: An episode cannot be written.
        """
        info = replace(self._info, policy_sha256=policy_hash(policy), round=order.index)
        files = RoundFiles(self.folder, info, self.patient, self._skip_damaged)
        kept, attempt = files.left_by_others(), files.number()
        for reason in files.left_out:
            self._log.say(f"left out: {plain(reason)}")
        # Not what an interrupted process has drawn already.
        generator = torch.Generator(self._env.device).manual_seed(order.seed + 1_000_000 * attempt)
        while (wanted := self._num_wanted(order, kept)) > len(kept):
            self._note(order, kept, wanted)
            if not self._is_somebody_there():
                break
            begin_round(self._env, order.seed + 1_000_000 * attempt)
            attempt += 1
            watched = self._watch(policy, generator, files)
            kept += [(file, episode) for file, episode in watched if not episode.info.discarded]
        self._note(order, kept, wanted)
        self._panel.show(phase="waiting")
        return kept

    def _num_wanted(self, order: RoundOrder, kept: list[tuple[Path, RecordedEpisode]]) -> int:
        """Return how many episodes the round needs, as far as one knows by those that there are."""
        wanted = order.episodes
        while len(kept) >= wanted and wanted < order.most_episodes:
            counts = _counts(kept[:wanted])
            is_enough = is_probably_above(order.threshold, *counts, order.intervention_length, order.confidence)
            if is_enough or self._panel.ending is not None:
                break
            wanted = min(2 * wanted, order.most_episodes)
        return wanted

    def _is_somebody_there(self) -> bool:
        """Wait for a person who does not pause, and return whether there is something to do for them."""
        while self._panel.ending != "finish":
            is_held = any(self._seats.state(robot).control is not None for robot in range(self._seats.num_robots))
            if is_held and not self._panel.is_paused:
                self._panel.show(phase="supervising")
                return True
            self._panel.show(phase="paused" if is_held else "nobody there")
            self._panel.wait(0.1)
        return False

    def _watch(
        self, policy: GaussianPolicy, generator: torch.Generator, files: RoundFiles
    ) -> list[tuple[Path, RecordedEpisode]]:
        """Run an episode of every robot, and return those that somebody watched, with their files."""
        self._panel.begin_episode()
        self._env.restart_clock()
        ended_by: dict[int, Watch] = {}
        cut: set[int] = set()
        written: dict[int, tuple[Path, RecordedEpisode]] = {}

        def on_episode(so_far: SupervisedRollout) -> None:
            for episode in episodes_of(so_far, files.info):
                robot = episode.info.robot
                if robot in ended_by:
                    continue
                ended_by[robot] = self._person.watch[robot]
                if ended_by[robot].person is not None:
                    described = self._describe(episode, ended_by[robot], robot in cut)
                    written[robot] = files.add(described), described

        def write_judgements() -> None:
            for robot, (file, episode) in written.items():
                judged = self._describe(episode, ended_by[robot], robot in cut)
                if judged.info != episode.info:
                    files.rewrite(file, judged)
                    written[robot] = file, judged

        def on_step(transitions: TensorDict, dones: torch.Tensor, extras: dict[str, Any]) -> None:
            write_judgements()
            self._show_step(ended_by)
            for robot in range(self._seats.num_robots):
                # A robot in its last step will be cut by its own clock.
                if robot not in ended_by and robot not in cut and self._is_cut(robot):
                    cut.add(robot)
                    self._end_episode(robot)
            self._wait_while_paused()

        collect_supervised_rollout(
            self._env, policy, self._person, self._seats.num_robots, 1, generator, on_step, on_episode
        )
        self._let_judge(ended_by, cut)
        write_judgements()
        return list(written.values())

    def _let_judge(self, ended_by: dict[int, Watch], cut: set[int]) -> None:
        """Give people a moment to say what they think of an episode, which they know when it is over."""
        judging = [robot for robot, watch in ended_by.items() if watch.is_whole and robot not in cut]
        end = time.monotonic() + self.judging_s
        self._panel.show(phase="judging")
        while time.monotonic() < end and any(not self._panel.is_judged(robot) for robot in judging):
            self._panel.wait(0.05)
        self._panel.show(phase="supervising")

    def _describe(self, episode: RecordedEpisode, watch: Watch, is_cut: bool) -> RecordedEpisode:
        """Return an episode with what only its end tells, and what its person said of it up to now."""
        robot = episode.info.robot
        mark = self._panel.mark(robot)
        notes = ["person lost"] if watch.is_lost else []
        if watch.num_late:
            notes.append(f"input late in {watch.num_late} steps")
        info = replace(
            episode.info,
            person="" if watch.person is None else watch.person.person,
            success=episode.info.success if mark is None else mark,
            marked_by="task" if mark is None else "person",
            discarded=not watch.is_whole or is_cut or self._panel.is_discarded(robot),
            note=", ".join(notes),
            recorded_at=episode.info.recorded_at or time_now(),
        )
        return replace(episode, info=info)

    def _is_cut(self, robot: int) -> bool:
        """Whether an episode need not go on: nobody will learn from it."""
        return self._panel.is_discarded(robot) or self._panel.ending == "finish"

    def _end_episode(self, robot: int) -> None:
        """Let the next step be the robot's last; for the task its time is over."""
        length = self._env.episode_length_buf.clone()
        length[robot] = self._max_steps - 1
        self._env.episode_length_buf = length

    def _wait_while_paused(self) -> None:
        if not self._panel.is_paused:
            return
        self._panel.show(phase="paused")
        while self._panel.is_paused and self._panel.ending != "finish":
            self._panel.wait(0.1)
        self._panel.show(phase="supervising")
        self._env.restart_clock()

    def _show_step(self, ended_by: dict[int, Watch]) -> None:
        """Tell the page of a step."""
        steps = self._env.episode_length_buf.tolist()
        own = [{} for _ in steps] if self._figures is None else self._figures()
        for robot in range(self._seats.num_robots):
            watch = self._person.watch[robot]
            self._panel.show_robot(
                robot,
                step=self._max_steps if robot in ended_by else steps[robot],
                is_over=robot in ended_by,
                in_control=watch.in_control and robot not in ended_by,
                is_closed=watch.is_closed,
                counts=watch.is_whole,
                **{name: value for name, value in own[robot].items() if _is_shown(value)},
            )
        self._panel.show(
            tick=self._env.num_steps, missed=self._env.num_missed, busy_ms=round(1e3 * self._env.busy_s, 1)
        )

    def _note(self, order: RoundOrder, kept: list[tuple[Path, RecordedEpisode]], wanted: int) -> None:
        num_controlled, _, num_steps = _counts(kept)
        self._panel.show(
            round=order.index + 1,
            episode=min(len(kept) + 1, wanted),
            episodes=wanted,
            steps=self._max_steps,
            round_samples=num_controlled,
            rate=num_controlled / num_steps if num_steps else None,
            threshold=order.threshold,
        )


def _counts(kept: list[tuple[Path, RecordedEpisode]]) -> tuple[int, int, int]:
    """Return how many steps the person controlled, how often they took over, and how many steps there were."""
    episodes = [episode for _, episode in kept]
    return (
        sum(episode.expert_samples for episode in episodes),
        sum(episode.num_takeovers for episode in episodes),
        sum(map(len, episodes)),
    )


def _is_shown(value: Any) -> bool:
    """Whether JSON has a form for it."""
    return not isinstance(value, float) or math.isfinite(value)
