# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Learning from recorded supervision, without a person present."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..meaning import ContractSettings, PolicyMeaning
from ..methods import ANCHORED, CLONING
from ..recording import RecordedEpisode, RecordingError, RecordingInfo, num_not_finite, rollout_of, to_learn_from
from ..recording.checks import COLUMNS
from ..records.outcome import NOTHING_LEARNED
from .supervision import SupervisedRound
from .supervision_runner import SupervisionRunner

BEYOND = 0.1
"""Share of a column's range by which a recorded number may be outside of it: another version may clip elsewhere."""


class RecordedRunner(SupervisionRunner):
    """Runs a single round, whose supervision happened earlier: every recorded episode counts alike, whatever its round.

    Nobody judges the policy that comes out; ``summary.json`` has the intervention rate of the recordings.
    """

    person = "recorded"

    def __init__(self, episodes: Sequence[RecordedEpisode], *args: Any, **kwargs: Any) -> None:
        """Check that the recordings are of this task.

        Args:
            episodes: The recordings.
            args: As :class:`SupervisionRunner` takes them.
            kwargs: Likewise.

        Raises:
            RecordingError: They are of another task, rate or scale of actions, hold numbers that the task cannot show,
                or none is to be learned from.
        """
        super().__init__(*args, **kwargs)
        self._recorded = rollout_of(episodes, self.env.device)
        self._num_shown = sum(episode.expert_samples for episode in to_learn_from(episodes))
        self._num_dropped = num_not_finite(episodes)
        info = to_learn_from(episodes)[0].info
        for what, found, wanted in (
            ("of task", info.task, self.spec.task),
            ("of observations", ", ".join(info.obs_names), ", ".join(self.spec.obs_names)),
            ("of features", ", ".join(info.feature_names), ", ".join(self.spec.feature_names)),
            ("of observations as wide as", self._recorded.transitions["obs"].shape[2], self.prior.policy.num_obs),
            ("of actions as wide as", self._recorded.transitions["action"].shape[2], self.env.num_actions),
        ):
            if found != wanted:
                raise RecordingError(f"recordings are {what} {found}, not {wanted}")
        self._check_meaning(info)
        self._check_bounds()

    def _check_bounds(self) -> None:
        """Refuse numbers that the task cannot show: a policy that learned from them would be wrecked.

        Raises:
            RecordingError: Names the first such column, and its bounds.
        """
        recorded, spec = self._recorded, self.spec
        for column, group, names in (
            ("obs", "policy", spec.obs_columns),
            ("next_obs", "policy", spec.obs_columns),
            ("features", "features", spec.feature_names),
        ):
            if group not in spec.bounds:
                continue
            values = recorded.transitions[column][recorded.valid]
            low, high = (torch.tensor(bound, dtype=values.dtype, device=values.device) for bound in spec.bounds[group])
            slack = BEYOND * (high - low)
            is_wrong = ((values < low - slack) | (values > high + slack)).any(dim=0)
            if not bool(is_wrong.any()):
                continue
            index = int(is_wrong.nonzero()[0])
            name = names[index] if len(names) == len(low) else f"column {index + 1}"
            least, greatest = values[:, index].aminmax()
            raise RecordingError(
                f"recordings hold numbers that task {spec.task} cannot show: {COLUMNS[column]} {name} is {least:g} to"
                f" {greatest:g}, and there it is {low[index]:g} to {high[index]:g}"
            )

    def _check_meaning(self, info: RecordingInfo) -> None:
        """Refuse recordings whose actions mean something else than here.

        Recordings of earlier versions tell the duration of a step alone, or nothing: what is known is compared.

        Raises:
            RecordingError: Rate, scale of actions or layout of observations differ.
        """
        here, step_s = self.spec.meaning, self.spec.texts.step_s
        recorded = info.meaning
        if here is None or recorded is None:
            rate_here = here.rate_hz if here is not None else 1.0 / step_s if step_s else None
            if info.rate_hz is None or rate_here is None:
                return
            contract = ContractSettings() if here is None else here.contract
            recorded, here = PolicyMeaning(info.rate_hz), PolicyMeaning(rate_here, contract=contract)
        if recorded.differences(here):
            raise RecordingError(
                f"recorded at {'; '.join(recorded.against(here))}; open the task as it was recorded:"
                f" {' '.join(recorded.settings_for(here))}, or --prior RUN, the run whose policy was watched"
            )

    def _run_rounds(self) -> str:
        """Run the one round, and return what came of it."""
        self._run_round(0)
        if self.record.rounds_learned:
            return "learned"
        is_content = self._num_shown == 0 and self.cfg.method not in CLONING
        return "content" if is_content else NOTHING_LEARNED

    def _supervise(self, index: int) -> SupervisedRound:
        """Let the prior run alone, and take in the recordings."""
        self._notify("the policy alone")
        return self._supervise_elsewhere(index, lambda: self._recorded)

    def _learns_from(self, index: int) -> bool:
        """Learn in any case, since that is what the recordings are for, unless they show nothing to learn.

        Methods that are anchored to the prior, or clone, learn from what the person did. Those that infer the whole
        reward learn as well from what was let pass.
        """
        return self.cfg.method not in (*ANCHORED, *CLONING) or self._num_usable_steps() > 0

    def _num_shown_steps(self) -> int:
        """Return in how many recorded steps the person acted, those that cannot be used included."""
        return self._num_shown

    def _num_usable_steps(self) -> int:
        """Return how many of the person's steps have no number that is not finite."""
        usable = self._recorded.valid & self._recorded.in_control
        for name in ("obs", "action", "features"):
            usable = usable & torch.isfinite(self._recorded.transitions[name]).all(dim=-1)
        return int(usable.sum())

    def _note_progress(self) -> None:
        """Count recorded steps that are not finite among the rejected ones."""
        super()._note_progress()
        self.record.num_rejected += self._num_dropped
