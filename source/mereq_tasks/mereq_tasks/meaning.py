# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The meaning of a policy's actions and observations, read off a task's configuration.

A network maps numbers to numbers. How often it acts, how far an action moves the tool, and what its inputs measure, is
the task's: the same weights under other settings are another policy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

NO_MEANING = frozenset(
    ("asset_name", "class_type", "debug_vis", "enable_corruption", "modifiers", "noise", "workspace", "yaw_limits")
)
"""Entries of a term that change neither scale nor layout: names, noise, and limits of the commanded pose."""

LIMITS = ("workspace", "yaw_limits")
"""Limits of the commanded pose, which the contract of an exported policy has."""


def policy_meaning(env_cfg: dict[str, Any]) -> dict[str, Any]:
    """Returns the meaning of actions and observations under a configuration.

    Args:
        env_cfg: The configuration of the environment as nested dictionaries: ``cfg.to_dict()`` before the environment
            is opened (opening one replaces some numbers by tensors), or ``params/env.yaml`` of a run.

    Returns:
        Plain values, as JSON can hold them, for ``mereq_algo.meaning.PolicyMeaning``: ``rate_hz`` (actions a second),
        and ``actions`` and ``observations``: each number of their terms by its path, for example
        ``{"tool.step_size": [0.05, 0.05, 0.05]}``; ``contract``: see :func:`contract_settings`.

    Raises:
        KeyError, TypeError, ValueError: It is no configuration of an environment.
    """
    step_s = float(env_cfg["sim"]["dt"]) * int(env_cfg["decimation"])
    if not (math.isfinite(step_s) and step_s > 0.0):
        raise ValueError(f"a step takes {step_s} s")
    return {
        "rate_hz": 1.0 / step_s,
        "actions": dict(_leaves(env_cfg["actions"])),
        "observations": dict(_leaves(env_cfg["observations"]["policy"])),
        "contract": contract_settings(env_cfg),
    }


def contract_settings(env_cfg: dict[str, Any]) -> dict[str, Any]:
    """Returns what else of a configuration is in the contract beside an exported policy, by its path.

    That is the controller's rate (``sim.dt``), limits of the commanded pose, the arm's home and joint damping, its
    tool, and the constants of the task's goal. How long an episode lasts is left to the user.

    Args:
        env_cfg: As of :func:`policy_meaning`.

    Raises:
        KeyError, TypeError, ValueError: It is no configuration of an environment.
    """
    robot = env_cfg["scene"]["robot"]
    found = {"sim.dt": float(env_cfg["sim"]["dt"])}
    for name, term in env_cfg["actions"].items():
        found |= {f"actions.{name}.{limit}": _plain(term[limit]) for limit in LIMITS if limit in term}
    found |= dict(_leaves(robot["init_state"]["joint_pos"], "scene.robot.init_state.joint_pos."))
    found |= dict(_leaves(robot["actuators"], "scene.robot.actuators."))
    found["scene.robot.spawn.tool"] = robot["spawn"].get("tool")  # of the suite's robots
    constants = dict(_leaves(env_cfg["commands"], "commands."))
    return found | {path: value for path, value in constants.items() if _is_number(value) and "resampling" not in path}


def _is_number(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_number, value))
    return isinstance(value, (int, float))


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _leaves(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields what is said in nested dictionaries, by its path; what says nothing (None, an empty list) is left out."""
    for name, value in node.items():
        if name in NO_MEANING or name.endswith("_ids"):  # indices are found when the simulator starts
            continue
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}.")
        elif isinstance(value, (list, tuple)):
            if value:
                yield path + name, [list(item) if isinstance(item, tuple) else item for item in value]
        elif name == "func" and isinstance(value, str):
            yield path + name, value.rpartition(":")[2]  # a function that moves to another file stays what it is
        elif isinstance(value, (bool, int, float, str)):
            yield path + name, value
