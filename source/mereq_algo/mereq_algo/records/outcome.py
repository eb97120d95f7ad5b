# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether a run has learned anything, and if not why."""

from __future__ import annotations

from .run_record import RunRecord

NOTHING_LEARNED = "nothing_learned"
"""Status of a run that was to learn, and whose policy is as it was."""

FINISHED = ("converged", "budget_spent", "learned", "content", NOTHING_LEARNED)
"""Status of runs that need nothing more; ``content``: the person of the recordings never took over."""


def note_outcome(record: RunRecord, samples: int) -> None:
    """Note in a record whether anything was learned; the status follows.

    Args:
        record: Of a run whose rounds are over.
        samples: Steps in which the person acted, those that cannot be used included.
    """
    if record.rounds_learned:
        record.outcome = f"learned after {record.rounds_learned} of {record.rounds} rounds"
        return
    as_it_was = "the policy is as it was"
    if samples == 0:
        record.outcome = f"the person never took over: there was nothing to learn, and {as_it_was}"
    elif not record.rounds_tried and record.status != NOTHING_LEARNED:
        record.outcome = f"nobody would have watched what a round taught: nothing was learned, and {as_it_was}"
    else:
        reason = "no update was made, there were too few steps to learn from"
        if record.num_rejected:
            reason = f"{record.num_rejected} steps were dropped because a number was not finite"
        record.outcome = f"nothing was learned from {samples} steps of the person, {as_it_was}: {reason}"
        if not record.converged:
            record.status = NOTHING_LEARNED
