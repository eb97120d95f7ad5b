# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A live person as the runner sees them: the same interface as the synthetic one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from tensordict import TensorDict

from mereq_algo.intervention import PersonDecision

from .control import Control, Hello
from .seats import Seats
from .steering import ActionLayout, Steering

MOST_LATE = 0.1
"""Share of the steps of a full episode, at most, in which the person's browser may be silent. Source: ours."""


@dataclass
class Watch:
    """How a robot was watched in the episode so far."""

    person: Hello | None = None
    """Who has watched it from the first step on."""

    most_late: float = 0.0
    """Steps, at most, in which they may be silent."""

    is_lost: bool = False
    """Whether they went before the end."""

    num_late: int = 0
    """Steps in which they had not been heard of for too long, though their connection stood."""

    in_control: bool = False
    """Whether they act now."""

    is_closed: bool = False
    """Whether the robot's fingers were told to close last."""

    @property
    def is_whole(self) -> bool:
        """Whether somebody saw all of it: a browser that does not answer shows nothing either.

        Once it is not whole it never is again: then they are told that they need not look.
        """
        return self.person is not None and not self.is_lost and self.num_late <= self.most_late


class SteeringDevice(Protocol):
    """Hands that are not in a browser."""

    def read(self, is_closed: bool) -> Control:
        """Return what they do now.

        Args:
            is_closed: Whether the robot's fingers were told to close last.
        """
        ...

    def release(self) -> None:
        """Forget that the robot is held."""
        ...


class LivePerson:
    """People behind browsers, one a robot; see :class:`~mereq_algo.intervention.Person`.

    Only robots whose episode somebody watches from its first step to its last were *supervised*: what nobody saw,
    nobody let pass.
    """

    def __init__(
        self,
        seats: Seats,
        layout: ActionLayout,
        max_steps: int,
        heading: float = 0.0,
        device: SteeringDevice | None = None,
    ) -> None:
        """Prepare.

        Args:
            seats: Who holds which robot.
            layout: What an action is made of.
            max_steps: Of a full episode.
            heading: As in :class:`Steering` [rad].
            device: A device on this machine, which steers the first robot as its person's browser does, and only while
                that browser is heard of: whoever steers has to see.
        """
        self._seats = seats
        self._device = device
        self._most_late = MOST_LATE * max_steps
        self._steering = [Steering(layout, heading) for _ in range(seats.num_robots)]
        self._is_first_step = [True] * seats.num_robots
        self.watch = [Watch() for _ in range(seats.num_robots)]
        """Of each robot, in the episode that was observed last."""

    def reset(self, done: torch.Tensor) -> None:
        """Begin new episodes; :attr:`watch` tells of the old one until the first step of the next."""
        for robot in done.nonzero().flatten().tolist():
            self._is_first_step[robot] = True

    def observe(self, obs: TensorDict, robot_action: torch.Tensor) -> PersonDecision:
        """Ask the hands; see :class:`~mereq_algo.intervention.Person`."""
        in_control = torch.zeros(len(robot_action), dtype=torch.bool)
        proposed = robot_action.cpu()
        action = proposed.clone()
        for robot, steering in enumerate(self._steering):
            seat = self._seats.state(robot)
            if robot == 0 and self._device is not None and (self._is_first_step[0] or seat.control is None):
                self._device.release()  # nobody finds a robot that an earlier person, or episode, left held
            if self._is_first_step[robot]:
                self._is_first_step[robot] = False
                steering.reset()
                self.watch[robot] = Watch(None if seat.control is None else seat.person, self._most_late)
            watch = self.watch[robot]
            watch.is_lost |= watch.person is not None and (not seat.is_connected or seat.person != watch.person)
            watch.num_late += seat.is_connected and seat.control is None
            control = seat.control
            if robot == 0 and control is not None and self._device is not None:
                control = control.combined(self._device.read(steering.is_closed))
            in_control[robot], action[robot] = steering.act(control, proposed[robot])
            watch.in_control = bool(in_control[robot])
            watch.is_closed = steering.is_closed
        return PersonDecision(in_control.to(robot_action.device), action.to(robot_action.device))
