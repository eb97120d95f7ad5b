# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The person: when they intervene, and what their supervision leaves behind."""

from .hysteresis import Hysteresis, HysteresisCfg
from .person import Nobody, Person, PersonDecision, SyntheticPerson
from .rules import ActionDistanceRule, AdvantageGapRule, InterventionRule
from .supervised_rollout import SupervisedRollout, collect_supervised_rollout
from .takeovers import count_takeovers

__all__ = [
    "ActionDistanceRule",
    "AdvantageGapRule",
    "Hysteresis",
    "HysteresisCfg",
    "InterventionRule",
    "Nobody",
    "Person",
    "PersonDecision",
    "SupervisedRollout",
    "SyntheticPerson",
    "collect_supervised_rollout",
    "count_takeovers",
]
