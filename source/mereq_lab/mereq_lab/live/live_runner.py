# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The runner with a live person: rounds are watched in another process, and learned from here."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mereq_algo.intervention import SupervisedRollout
from mereq_algo.methods import InnerLoopProgress
from mereq_algo.recording import (
    RecordingError,
    left_out_or_refused,
    num_not_finite,
    read_recordings,
    rollout_of,
    without_copies,
)
from mereq_algo.records.run_record import RunRecord
from mereq_algo.runner.supervision import SupervisedRound
from mereq_algo.runner.supervision_runner import SupervisionRunner

from .link import Link, LinkError, LiveProcess
from .session import RoundOrder

SHOWN_EVERY_S = 0.5
"""Between two looks of the page at the learner [s]."""


class LiveRunner(SupervisionRunner):
    """Runs rounds until the person is content, the budget is spent, or they end it on the page.

    While they watch a few robots at the pace of time, all robots here run the same policy alone.
    """

    person = "live"

    def __init__(self, process: LiveProcess, *args: Any, **kwargs: Any) -> None:
        """Put the parts together.

        Args:
            process: Where people watch.
            args: As :class:`SupervisionRunner` takes them.
            kwargs: Likewise.
        """
        super().__init__(*args, **kwargs)
        self._process = process
        self._num_dropped = 0
        self._shown_policy = self.folder.path / "checkpoints" / "shown.safetensors"
        self.listeners.append(PageListener(process.link))

    @property
    def ending(self) -> str | None:
        """How the person ends the run, whenever they said so: ``stop``, ``finish``, or not."""
        return self._process.ending()

    def _run_rounds(self) -> str:
        while not self.record.converged and not self._is_budget_spent(self._next_round):
            if self.ending is not None and self.record.rounds:
                return "stopped"  # they said so while it learned
            try:
                self._run_round(self._next_round)
            except _NothingWatched:
                if not self.record.rounds:
                    raise RecordingError("nobody watched a whole episode: there is nothing to learn from") from None
                return "stopped"
            if self.ending is not None and not self.record.converged:
                return "stopped"
        return "converged" if self.record.converged else "budget_spent"

    def _supervise(self, index: int) -> SupervisedRound:
        """Show the policy to people, and wait for what they made of it."""
        self._notify("supervised rollout")
        self._save_policy(self._shown_policy)
        order = RoundOrder(
            index,
            self._round_seed(index),
            self.cfg.num_supervised * self.cfg.episodes_per_robot,
            max(self.cfg.max_supervised, self.cfg.num_supervised) * self.cfg.episodes_per_robot,
            self.cfg.intervention_threshold,
            self.cfg.person.hysteresis.patience_handback,
            self.cfg.watch_on_confidence,
        )
        samples = self.record.expert_samples[-1] if self.record.expert_samples else 0
        self._process.link.send(do="show", figures={"samples_before": samples, "learning": None})
        files = {"policy": str(self._shown_policy), "recordings": str(self.folder.recordings)}
        self._process.link.send(do="supervise", **files, order=asdict(order))
        return self._supervise_elsewhere(index, self._watched)

    def _watched(self) -> SupervisedRollout:
        """Wait for the episodes of this round."""
        answer = self._process.receive()
        if not answer["files"]:
            raise _NothingWatched
        files = list(dict.fromkeys(map(Path, answer["files"])))
        episodes, damaged = read_recordings(files)
        left_out_or_refused(damaged, len(files), skip_damaged=False)
        found = [episode for _, episode in without_copies(episodes)[0]]
        self._num_dropped += num_not_finite(found)
        return rollout_of(found, self.env.device)

    def _note_progress(self) -> None:
        """Count watched steps that are not finite among the rejected ones."""
        super()._note_progress()
        self.record.num_rejected += self._num_dropped

    def resume(self) -> None:
        """Go back to the last completed round; see :meth:`SupervisionRunner.resume`."""
        super().resume()
        self._num_dropped = max(self.record.num_rejected - self.learner.num_rejected, 0)

    def _learns_from(self, index: int) -> bool:
        """Learn from all that a person has shown, also where they will not see it: they may take the policy home."""
        return not self.record.converged


class _NothingWatched(Exception):
    """The person ended the run before there was a whole episode."""


class PageListener:
    """Tells the page where the learner stands."""

    def __init__(self, link: Link) -> None:
        """Speak over a link."""
        self._link = link
        self._shown_at = 0.0
        self._began_at: float | None = None

    def update(self, record: RunRecord, phase: str, inner: InnerLoopProgress | None) -> None:
        """Take in where the run stands; see :class:`~mereq_algo.runner.RunListener`."""
        now = time.monotonic()
        if inner is None:
            self._began_at = None
            if phase in ("evaluation", "done"):
                self._show({"phase": "evaluating" if phase == "evaluation" else phase, "learning": None})
            return
        if self._began_at is None:
            self._began_at = now
        if now - self._shown_at < SHOWN_EVERY_S:
            return
        self._shown_at = now
        done = inner.step / inner.max_steps
        left = "?" if done == 0.0 else f"{(now - self._began_at) * (1.0 - done) / done:.0f} s"
        self._show({"phase": "learning", "learning": {"done": done, "time_left": left}})

    def _show(self, figures: dict[str, Any]) -> None:
        with contextlib.suppress(LinkError):  # what is learned does not need a page
            self._link.send(do="show", figures=figures)
