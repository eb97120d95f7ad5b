# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Between the policy and the person's hands: a takeover and a release without a jump."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .control import Control

MAX_CHANGE = 0.5
"""Largest change of an action from one step to the next in the person's hands, in shares of a full step. Source: ours:
a key goes from nothing to its full value in two steps, 0.1 s at 20 Hz, and no command leaps."""

RELEASE_STEPS = 4
"""Steps after which the policy has the robot again, whatever it wants: as many as lead from -1 to 1."""

LOST_RELEASE_STEPS = 2
"""The same when the person is gone: they must not hold the robot for longer than 0.3 s."""


@dataclass(frozen=True)
class ActionLayout:
    """What the columns of an action mean: a step along x, y and z, then perhaps a turn, then perhaps the gripper."""

    turns: bool = False
    grips: bool = False

    @property
    def num_actions(self) -> int:
        """Width of an action."""
        return 3 + self.turns + self.grips


class Steering:
    """Of one robot.

    An action asks for the *measured* pose plus a step, so the command that a person starts from is where the robot is,
    and not where something once wanted it. What could leap is the step: it begins at what was carried out last, and
    changes by at most :obj:`MAX_CHANGE`, towards the hands while they hold the robot and towards the policy
    afterwards. The gripper follows at once.
    """

    def __init__(self, layout: ActionLayout, heading: float = 0.0) -> None:
        """Prepare.

        Args:
            layout: What an action is made of.
            heading: Direction in which the person looks, from the robot's x axis to its y axis [rad]. Forward is there.
        """
        self._layout = layout
        self._cos, self._sin = math.cos(heading), math.sin(heading)
        self.reset()

    def reset(self) -> None:
        """Begin an episode: nobody has done anything yet."""
        self._last: torch.Tensor | None = None
        self._in_control = False
        self._release_steps = 0

    @property
    def is_closed(self) -> bool:
        """Whether the fingers were told to close last."""
        return self._layout.grips and self._last is not None and bool(self._last[-1] < 0.0)

    def act(self, control: Control | None, proposed: torch.Tensor) -> tuple[bool, torch.Tensor]:
        """Decide what the robot does in this step.

        Args:
            control: What the person's hands do; None if they were not heard of.
            proposed: What the policy would do. Shape: (num_actions,)

        Returns:
            Whether it is the person who acts, and the action. Shape: (num_actions,)
        """
        is_held = control is not None and control.engaged
        if is_held:
            self._in_control, self._release_steps = True, 0
        elif self._in_control:
            self._release_steps += 1
            most = LOST_RELEASE_STEPS if control is None else RELEASE_STEPS
            self._in_control = self._release_steps <= most and not self._is_near(proposed)
        if not self._in_control:
            self._last = proposed.clone()
            return False, proposed
        last = torch.zeros_like(proposed) if self._last is None else self._last
        wanted = self._wanted(control, last) if is_held and control is not None else proposed
        action = last + (wanted - last).clamp(-MAX_CHANGE, MAX_CHANGE)
        if self._layout.grips:
            action[-1] = wanted[-1]
        self._last = action
        return True, action.clone()

    def _is_near(self, proposed: torch.Tensor) -> bool:
        """Whether the policy's own action is no leap."""
        if self._last is None:
            return True
        moves = slice(0, 3 + self._layout.turns)
        return bool(((proposed - self._last)[moves].abs() <= MAX_CHANGE).all())

    def _wanted(self, control: Control, last: torch.Tensor) -> torch.Tensor:
        """Return the action that the hands ask for."""
        forward, left, up, turn = control.axes
        wanted = last.clone()
        wanted[0] = self._cos * forward - self._sin * left
        wanted[1] = self._sin * forward + self._cos * left
        wanted[2] = up
        if self._layout.turns:
            wanted[3] = turn
        if self._layout.grips and control.gripper != "keep":
            wanted[-1] = 1.0 if control.gripper == "open" else -1.0
        return wanted.clamp(-1.0, 1.0)
