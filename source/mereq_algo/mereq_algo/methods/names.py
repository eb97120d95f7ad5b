# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The methods by name."""

METHODS = {
    "mereq": "residual reward from the person's and the untouched segments",
    "mereq_np": "the same without the untouched segments (no pseudo-expert data)",
    "maxent": "full reward, policy from scratch: the first that is watched is untrained",
    "maxent_ft": "full reward, policy fine-tuned from the prior",
    "hg_dagger_ft": "cloning of the person's segments, from the prior",
    "iwr_ft": "cloning of all segments, the person's weighing half, from the prior",
}
"""What each method learns from."""

ANCHORED = ("mereq", "mereq_np")
"""Those that infer what the person wants beyond the prior: without an intervention that is nothing."""

CLONING = ("hg_dagger_ft", "iwr_ft")
"""Those that imitate the person's actions."""


def is_distinct(method: str, objective: str) -> bool:
    """Return whether a method is one of its own, and no other name of ``mereq``, with an ``irl.objective``.

    Untouched segments say nothing of the person's actions, so to leave them out changes nothing where those count.
    """
    return not (method == "mereq_np" and objective == "actions")
