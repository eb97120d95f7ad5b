# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The meaning of a policy's actions and observations: policies, runs and recordings carry it."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from .plain_values import is_finite_number

RATES_HZ = (1e-3, 1e6)
"""Least and greatest rate of actions that a file may name [Hz]. Tasks act at 20 Hz."""

_DEEPEST = 3
"""Lists in lists that a setting of a term may be: a matrix for each of several joints."""


@dataclass(frozen=True)
class PolicyMeaning:
    """How often a policy acts, how far its actions reach, and what its inputs measure.

    A task gives it as plain values: ``TaskSpec(**task.names).meaning`` of an open task.
    """

    rate_hz: float
    """Actions a second. It need not be an integer."""

    actions: dict[str, Any] = field(default_factory=dict)
    """Numbers of the terms of the action by their paths, step sizes among them: ``{"tool.step_size": [0.05, ...]}``."""

    observations: dict[str, Any] = field(default_factory=dict)
    """Likewise, of the terms of the policy's observation: scales, offsets, clips."""

    contract: ContractSettings = field(default_factory=lambda: ContractSettings())
    """What else an arm has to share with the simulation. A policy may learn on under others; it is not exported so."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON and YAML can hold them."""
        values = dataclasses.asdict(self)
        return {**values, "contract": values["contract"]["values"]}

    @staticmethod
    def from_dict(values: Any) -> PolicyMeaning:
        """Read what :meth:`as_dict` returned.

        Raises:
            ValueError: It is something else.
        """
        known = {field.name for field in dataclasses.fields(PolicyMeaning)}
        if not isinstance(values, dict) or set(values) - known:
            raise ValueError("the meaning of actions and observations is unreadable")
        rate = values.get("rate_hz")
        if not is_rate(rate):
            raise ValueError(f"the rate of actions is {_short(rate)}")
        parts = [values.get(part, {}) for part in ("actions", "observations", "contract")]
        if not all(isinstance(part, dict) for part in parts):
            raise ValueError("the meaning of actions and observations is unreadable")
        for path, value in (item for part in parts for item in part.items()):
            if not isinstance(path, str) or not _is_plain(value):
                raise ValueError(f"the meaning of {path!r} is no number, text or list of them: {_short(value)}")
        return PolicyMeaning(float(rate), parts[0], parts[1], ContractSettings(parts[2]))

    def differences(self, other: PolicyMeaning) -> list[str]:
        """Return what differs, a short text each: ``rate_hz 10 and 20``, ``actions.tool.step_size …``.

        Args:
            other: What to compare with; named second.
        """
        found = [] if _same(self.rate_hz, other.rate_hz) else [f"rate_hz {self.rate_hz:g} and {other.rate_hz:g}"]
        for part, path in self._differing_paths(other):
            mine, theirs = getattr(self, part).get(path), getattr(other, part).get(path)
            found.append(f"{part}.{path} {_shown(mine)} and {_shown(theirs)}")
        return found

    def against(self, here: PolicyMeaning) -> list[str]:
        """Return what differs from how a task is open, and which is which: ``10 Hz, here 20 Hz``."""
        found = [] if _same(self.rate_hz, here.rate_hz) else [f"{self.rate_hz:.6g} Hz, here {here.rate_hz:.6g} Hz"]
        for part, path in self._differing_paths(here):
            mine, other = getattr(self, part).get(path), getattr(here, part).get(path)
            found.append(f"{part}.{path} {_shown(mine)}, here {_shown(other)}")
        return found

    def settings_for(self, here: PolicyMeaning) -> list[str]:
        """Return settings that open a task with this meaning, as the command line takes them.

        Args:
            here: The meaning that it is open with.
        """
        found = []
        if not _same(self.rate_hz, here.rate_hz):
            dt = here.contract.values.get("sim.dt")
            decimation = None if dt is None else 1.0 / (self.rate_hz * dt)
            whole = None if decimation is None or not _same(decimation, round(decimation)) else round(decimation)
            found.append(f"env.decimation={'...' if whole is None else whole}")
        for part, path in self._differing_paths(here):
            group = "actions" if part == "actions" else "observations.policy"
            found.append(f"env.{group}.{path}={json.dumps(getattr(self, part).get(path), separators=(',', ':'))}")
        return found

    def _differing_paths(self, other: PolicyMeaning) -> list[tuple[str, str]]:
        return [
            (part, path)
            for part in ("actions", "observations")
            for path in dict.fromkeys((*getattr(self, part), *getattr(other, part)))
            if not _same(getattr(self, part).get(path), getattr(other, part).get(path))
        ]

    @property
    def step_sizes(self) -> dict[str, Any]:
        """How far an action reaches at most, by the paths of :attr:`actions`."""
        return {path: value for path, value in self.actions.items() if path.endswith(("_step", "step_size"))}

    def summary(self) -> str:
        """Return rate and step sizes in a few words: ``20 Hz, tool.step_size [0.05 0.05 0.05]``."""
        steps = (f"{path} {_shown(value)}" for path, value in self.step_sizes.items())
        return ", ".join((f"{self.rate_hz:.6g} Hz", *steps))


@dataclass(frozen=True)
class ContractSettings:
    """Settings of a task that the contract beside an exported policy is made of, besides actions and observations."""

    values: dict[str, Any] = field(default_factory=dict)
    """Values by their paths in the environment's configuration: ``{"sim.dt": 0.01, ...}``. Empty: not known."""

    def differences(self, other: ContractSettings) -> list[str]:
        """Return the paths whose values differ."""
        paths = dict.fromkeys((*self.values, *other.values))
        return [path for path in paths if not _same(self.values.get(path), other.values.get(path))]

    def shown(self, paths: list[str]) -> list[str]:
        """Return settings as the command line takes them: ``env.sim.dt=0.01``."""
        return [f"env.{path}={json.dumps(self.values.get(path), separators=(',', ':'))}" for path in paths]


@dataclass(frozen=True)
class EnvMeaning:
    """What a policy's actions and observations mean in an environment that is open."""

    opened: PolicyMeaning | None
    """As it is open now. None: the environment does not tell, and nothing is compared."""

    own: PolicyMeaning | None = None
    """With the task's own settings: what a policy was trained with whose command changed none of them."""

    @staticmethod
    def of(env: Any) -> EnvMeaning:
        """Ask an environment of rsl_rl; a task of the suite has ``policy_meaning`` and ``own_policy_meaning``."""
        unwrapped = getattr(env, "unwrapped", env)
        found = [getattr(unwrapped, name, None) for name in ("policy_meaning", "own_policy_meaning")]
        return EnvMeaning(*(None if values is None else PolicyMeaning.from_dict(values) for values in found))


def is_rate(value: Any) -> TypeGuard[float]:
    """Return whether a value is a rate of actions that can be [Hz]."""
    return is_finite_number(value) and RATES_HZ[0] <= value <= RATES_HZ[1]


def _is_plain(value: Any, depth: int = 0) -> bool:
    if isinstance(value, (list, tuple)):
        return depth < _DEEPEST and all(_is_plain(item, depth + 1) for item in value)
    return value is None or isinstance(value, (str, bool)) or is_finite_number(value)


def _short(value: Any) -> str:
    """Return a value as text of one line at most; a list may be nested deeper than it can be shown."""
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__}"
    try:
        return repr(value)[:40]
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits"


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)
    return one == other


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(map(_shown, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
