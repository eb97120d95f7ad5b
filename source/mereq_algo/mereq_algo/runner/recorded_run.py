# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Learning from recorded supervision, without a person present."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ..intervention import Nobody
from ..recording import RecordedEpisode, RecordingError, rollout_of
from .supervision_runner import SupervisionRunner


class RecordedRunner(SupervisionRunner):
    """Runs a single round, whose supervision happened earlier: every recorded episode counts alike, whatever its round.

    Nobody judges the policy that comes out; ``summary.json`` has the intervention rate of the recordings.
    """

    def __init__(self, episodes: Sequence[RecordedEpisode], *args: Any, **kwargs: Any) -> None:
        """Check that the recordings are of this task.

        Args:
            episodes: The recordings.
            args: As :class:`SupervisionRunner` takes them.
            kwargs: Likewise.

        Raises:
            RecordingError: They are of another task, or none is to be learned from.
        """
        super().__init__(*args, **kwargs)
        self._recorded = rollout_of(episodes, self.env.device)
        info = episodes[0].info
        for what, found, wanted in (
            ("of task", info.task, self.spec.task),
            ("of observations", ", ".join(info.obs_names), ", ".join(self.spec.obs_names)),
            ("of features", ", ".join(info.feature_names), ", ".join(self.spec.feature_names)),
            ("of observations as wide as", self._recorded.transitions["obs"].shape[2], self.prior.policy.num_obs),
            ("of actions as wide as", self._recorded.transitions["action"].shape[2], self.env.num_actions),
        ):
            if found != wanted:
                raise RecordingError(f"recordings are {what} {found}, not {wanted}")

    def _run_rounds(self) -> str:
        """Let the prior run alone, take in the recordings, and learn once."""
        self.ranks.from_first(0)
        self._begin(0)
        self._notify("the policy alone")
        alone = self.supervision.run(self.policy, self._round_seed(0), Nobody())
        shown = dataclasses.replace(
            alone,
            rollout=self._recorded,
            all_watchable=self._recorded,
            transitions=[*alone.transitions, self._recorded.valid_transitions()],
        )
        self._note_supervision(shown)
        self.learner.observe(shown.rollout, shown.transitions, shown.episodes_alone)
        self._judge(shown.rollout)
        self.ranks.from_first(True)
        self._align(shown.window)
        self._next_round = 1
        self._save()
        return "learned"
