# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a recording must hold before anything learns from it; it may come from anywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from tensordict import TensorDict

from ..meaning import PolicyMeaning, is_rate
from ..plain_values import is_count, is_finite_number, is_nested_deeply
from .episode import RecordedEpisode, RecordingError, RecordingInfo

LARGEST = 1e6
"""Largest magnitude of an observation, feature, reward or metric. In SI units the tasks stay below a thousand."""

LARGEST_ACTION = 1.0 + 1e-5
"""Policies and people act within [-1, 1]; the rest is rounding."""

MAX_STEPS = 1_000_000
"""Most steps of an episode: 14 hours at 20 Hz."""

COLUMNS = {
    "obs": "obs/policy",
    "action": "actions",
    "features": "features",
    "base_reward": "rewards",
    "next_obs": "next_obs/policy",
    "terminated": "terminated",
    "robot_action": "robot_actions",
    "in_control": "in_control",
}
"""Columns of every episode: our name and the file's."""

_ALL_DIFFERENT = ("feature_names", "metric_names", "reward_names")

_FLAGS = ("terminated", "in_control")
_VECTORS = ("obs", "action", "features", "next_obs", "robot_action")


def checked_info(values: Any) -> RecordingInfo:
    """Return what a recording says of itself.

    Args:
        values: As JSON holds it.

    Raises:
        RecordingError: A field is missing, unknown or of another type.
    """
    fields = {field.name: field for field in dataclasses.fields(RecordingInfo)}
    if not isinstance(values, dict):
        raise RecordingError("its info is no table of names and values")
    if is_nested_deeply(values):
        raise RecordingError("its info is nested too deeply")
    for name in values:
        if name not in fields:
            raise RecordingError(f"its info has an unknown entry {name!r}")
    missing = [
        name
        for name, field in fields.items()
        if name not in values and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise RecordingError(f"its info lacks {', '.join(missing)}")
    found = dict(values)
    for name, value in values.items():
        what, is_right = _KINDS[str(fields[name].type)]
        if not is_right(value):
            raise RecordingError(f"its {name} is not {what}: {_shown(value)}")
        if isinstance(value, list):
            found[name] = tuple(value)
            twice = next((item for item in value if name in _ALL_DIFFERENT and value.count(item) > 1), None)
            if twice is not None:
                raise RecordingError(f"its {name} has {twice!r} twice")
    try:
        if found.get("meaning") is not None:
            found["meaning"] = PolicyMeaning.from_dict(found["meaning"])
    except ValueError as error:
        raise RecordingError(str(error)) from error
    return RecordingInfo(**found)


def _shown(value: Any) -> str:
    try:
        return repr(str(value)[:40])
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits"


def _is_duration(value: Any) -> bool:
    return is_finite_number(value) and value > 0 and is_rate(1.0 / value)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("text", lambda value: isinstance(value, str)),
    "int": ("a whole number from 0 on", is_count),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "bool | None": ("true, false or nothing", lambda value: value is None or isinstance(value, bool)),
    "float | None": ("a duration of 1 µs to 1,000 s", lambda value: value is None or _is_duration(value)),
    "tuple[str, ...]": ("a list of names", _are_names),
    "dict[str, str]": (
        "a table of texts",
        lambda value: isinstance(value, dict) and all(isinstance(item, str) for item in value.values()),
    ),
    "PolicyMeaning | None": ("a table", lambda value: value is None or isinstance(value, dict)),
}
"""By the type of a field: what it is called, and whether a value of JSON is such."""


def checked_episode(info: RecordingInfo, columns: Mapping[str, np.ndarray]) -> RecordedEpisode:
    """Return the episode that columns make up.

    Numbers that are not finite pass: :attr:`RecordedEpisode.is_finite` tells which steps they are in.

    Args:
        info: What the recording says of itself.
        columns: By the file's names: those of :data:`COLUMNS`, ``metrics/<name>`` and ``reward_terms/<name>``.

    Raises:
        RecordingError: A column is missing, or has another shape, type or range than it can have.
    """
    num_steps = _num_steps(columns)
    found: dict[str, torch.Tensor] = {}
    for name, column in COLUMNS.items():
        values = columns[column]
        wanted = 2 if name in _VECTORS else 1
        if values.ndim != wanted:
            raise RecordingError(f"{column} has {values.ndim} dimensions, not {wanted}")
        if name in _FLAGS:
            if values.dtype != np.bool_:
                raise RecordingError(f"{column} is of {values.dtype}, not of true and false")
            found[name] = torch.from_numpy(values.copy())
        else:
            limit = LARGEST_ACTION if name in ("action", "robot_action") else LARGEST
            found[name] = _numbers(column, values, limit)
    widths = {name: found[name].shape[1] for name in _VECTORS}
    for name, wanted, whose in (
        ("features", len(info.feature_names), "names of features"),
        ("next_obs", widths["obs"], "columns of obs/policy"),
        ("robot_action", widths["action"], "columns of actions"),
        ("obs", len(info.obs_columns) or widths["obs"], "names of its columns"),
        ("action", len(info.action_columns) or widths["action"], "names of its columns"),
    ):
        if widths[name] != wanted or wanted == 0:
            raise RecordingError(f"{COLUMNS[name]} is {widths[name]} wide, and there are {wanted} {whose}")

    def table(group: str, names: tuple[str, ...]) -> torch.Tensor:
        values = [_numbers(f"{group}/{name}", columns[f"{group}/{name}"], LARGEST) for name in names]
        for name, column in zip(names, values, strict=True):
            if column.ndim != 1:
                raise RecordingError(f"{group}/{name} has {column.ndim} dimensions, not 1")
        return torch.stack(values, dim=1) if values else torch.zeros(num_steps, 0)

    robot_action, in_control = found.pop("robot_action"), found.pop("in_control")
    return RecordedEpisode(
        info=info,
        transitions=TensorDict(dict(found), batch_size=[num_steps]),
        robot_action=robot_action,
        in_control=in_control,
        metrics=table("metrics", info.metric_names),
        reward_terms=table("reward_terms", info.reward_names),
    )


def _num_steps(columns: Mapping[str, np.ndarray]) -> int:
    lengths = {name: len(values) if values.ndim else None for name, values in columns.items()}
    (first, *others) = dict.fromkeys(lengths.values())
    if others or first is None:
        raise RecordingError(f"recording has columns of different lengths: {lengths}")
    if not 0 < first <= MAX_STEPS:
        raise RecordingError(f"recording has {first} steps; there can be 1 to {MAX_STEPS:,}")
    return first


def _numbers(column: str, values: np.ndarray, limit: float) -> torch.Tensor:
    """Return a column of single precision.

    Raises:
        RecordingError: It is of whole numbers, or one of its finite numbers is beyond the limit.
    """
    if values.dtype.kind != "f":
        raise RecordingError(f"{column} is of {values.dtype}, not of floating-point numbers")
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    if largest > limit:
        raise RecordingError(f"{column} reaches {largest:g}, beyond the {limit:g} that are possible")
    return torch.from_numpy(values.astype(np.float32))
