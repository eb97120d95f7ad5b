# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What goes into a policy of a task and what comes out of it, read off the running environment.

The names of the fields are those of the contract beside an exported policy (``mereq_deploy/contract.py``).
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.envs.mdp.actions.actions_cfg import BinaryJointPositionActionCfg
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils.math import quat_apply_inverse

from . import mdp
from .arguments import TaskUsageError
from .quantity import Quantity
from .spaces import each, term_bounds

HAND = "fr3_hand"


def describe_interface(env: ManagerBasedRLEnv) -> dict[str, Any]:
    """Returns everything that is needed to drive an arm with a policy of this task.

    Returns:
        Plain values, as JSON can hold them: rate, controller, tool, home pose, observation, action and the constants of
        the task's commands.

    Raises:
        TaskUsageError: A term does not say what it measures (:func:`~mereq_tasks.quantity.measures`), or an action is
            of a kind that cannot be described.
    """
    cfg: Any = env.cfg
    steps = [term for term in vars(cfg.actions).values() if isinstance(term, mdp.ToolStepActionCfg)]
    if len(steps) != 1:
        raise TaskUsageError(f"a task that can be exported moves one tool; this one has {len(steps)}")
    constants = {name: _constants(term) for name, term in vars(cfg.commands).items()}
    return {
        "rate_hz": 1.0 / env.step_dt,
        "episode_length_s": float(cfg.episode_length_s),
        "controller": _controller(env, steps[0]),
        "tool": _tool(env, steps[0]),
        "home": _home(env),
        "observation": _observation(env, steps[0], constants),
        "action": [_action(name, term) for name, term in vars(cfg.actions).items()],
        "parameters": constants,
    }


def _observation(env: ManagerBasedRLEnv, step: mdp.ToolStepActionCfg, constants: dict) -> list[dict[str, Any]]:
    cfg: Any = env.cfg
    manager = env.observation_manager
    found = []
    for name, shape in zip(manager.active_terms["policy"], manager.group_obs_term_dim["policy"], strict=True):
        term = getattr(cfg.observations.policy, name)
        quantity: Quantity | None = getattr(term.func, "quantity", None)
        if quantity is None:
            raise TaskUsageError(
                f"observation {name} cannot be exported: {term.func.__name__} does not say what it measures"
                " (decorate it with mereq_tasks.quantity.measures)"
            )
        offset = term.params.get("offset")
        if offset is not None and tuple(offset) != tuple(step.body_offset.pos):
            raise TaskUsageError(f"observation {name} cannot be exported: it is of another point than the tool's")
        width = math.prod(shape)
        low, high = term_bounds(term, width)
        found.append(
            {
                "name": name,
                "kind": term.func.__name__,
                "width": width,
                "unit": quantity.unit if isinstance(quantity.unit, str) else list(quantity.unit),
                "frame": quantity.frame,
                "clip": None if term.clip is None else list(term.clip),
                "scale": each(1.0 if term.scale is None else term.scale, width),
                "low": low,
                "high": high,
                "parameters": {**_needed_constants(constants), **_plain(term.params)},
                "meaning": _first_sentence(term.func),
            }
        )
    return found


def _needed_constants(constants: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Those of the goal that observations are computed with."""
    goal = constants.get("goal", {})
    return {name: goal[name] for name in ("object_size",) if name in goal}


def _action(name: str, cfg: Any) -> dict[str, Any]:
    if isinstance(cfg, mdp.ToolStepActionCfg):
        low, high = cfg.workspace
        turns = cfg.yaw_step is not None
        return {
            "type": "tool_step",
            "name": name,
            "width": 4 if turns else 3,
            "step_size": list(cfg.step_size),
            "workspace_low": list(low),
            "workspace_high": list(high),
            "orientation": list(cfg.orientation),
            "yaw_step": cfg.yaw_step,
            "yaw_limits": list(cfg.yaw_limits) if turns else None,
            "unit": "m",
            "frame": "base",
        }
    if isinstance(cfg, BinaryJointPositionActionCfg):
        # Two fingers move alike, each by half of the opening.
        (opened,), (closed,) = cfg.open_command_expr.values(), cfg.close_command_expr.values()
        return {
            **{"type": "gripper", "name": name, "width": 1, "unit": "m"},
            **{"open_width": 2 * opened, "closed_width": 2 * closed},
        }
    raise TaskUsageError(f"action {name} cannot be exported: {type(cfg).__name__} has no counterpart on the arm")


def _controller(env: ManagerBasedRLEnv, step: mdp.ToolStepActionCfg) -> dict[str, Any]:
    gains = step.controller_cfg
    stiffness = each(gains.motion_stiffness_task, 6)
    # As Isaac Lab derives it from the ratio: 2 ζ √K.
    ratios = each(gains.motion_damping_ratio_task, 6)
    robot: Any = env.scene["robot"]
    return {
        "type": "cartesian_impedance",
        "rate_hz": 1.0 / env.physics_dt,
        "stiffness": stiffness,
        "damping": [2.0 * ratio * math.sqrt(gain) for ratio, gain in zip(ratios, stiffness, strict=True)],
        "joint_damping": float(robot.cfg.actuators["arm"].damping),
        "gravity_compensated": True,
    }


def _tool(env: ManagerBasedRLEnv, step: mdp.ToolStepActionCfg) -> dict[str, Any]:
    """Returns the tool's points in the hand's frame, measured: they are rigid with it."""
    robot: Any = env.scene["robot"]
    body, hand = (robot.body_names.index(name) for name in (step.body_name, HAND))
    position, rotation = robot.data.body_pos_w.torch, robot.data.body_quat_w.torch
    origin = quat_apply_inverse(rotation[0, hand], position[0, body] - position[0, hand])
    # Robots are built with all of the hand's bodies parallel.
    point = origin + torch.tensor(step.body_offset.pos, device=origin.device)
    return {
        **{"name": step.body_name, "frame": HAND, "point": _rounded(point), "velocity_point": _rounded(origin)},
        "mass": 0.0 if step.body_name == HAND else round(float(robot.data.body_mass.torch[0, body]), 6),
    }


def _home(env: ManagerBasedRLEnv) -> dict[str, float]:
    robot: Any = env.scene["robot"]
    return dict(zip(robot.joint_names, _rounded(robot.data.default_joint_pos.torch[0]), strict=True))


def _constants(cfg: Any) -> dict[str, Any]:
    fields = {field.name: getattr(cfg, field.name) for field in dataclasses.fields(cfg)}
    return {name: value for name, value in _plain(fields).items() if name not in ("debug_vis", "resampling_time_range")}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the numbers and vectors among values; bodies and sensors are the simulator's own."""
    kept = {}
    for name, value in values.items():
        if isinstance(value, SceneEntityCfg):
            continue
        if isinstance(value, (bool, int, float)):
            kept[name] = value
        elif isinstance(value, (list, tuple)) and all(isinstance(item, (int, float)) for item in value):
            kept[name] = list(value)
    return kept


def _rounded(values: torch.Tensor) -> list[float]:
    """To a micrometre, or a microradian."""
    return [round(value, 6) + 0.0 for value in values.tolist()]


def _first_sentence(function: Any) -> str:
    paragraph = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")
    return paragraph.partition(". Shape")[0].removeprefix("Returns ").rstrip(".")
