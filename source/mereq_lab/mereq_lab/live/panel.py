# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the page shows beside the robot, and the buttons that were pressed on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .control import Button


class Panel:
    """Shared by the server's thread and by the robots'."""

    def __init__(self, num_robots: int, on_change: Callable[[], None] = lambda: None) -> None:
        """Begin with an empty panel.

        Args:
            num_robots: Robots that can be supervised.
            on_change: Called after each change, in the thread that made it.
        """
        self.on_change = on_change
        self._lock = threading.Condition()
        self._shown: dict[str, Any] = {"phase": "starting"}
        self._robots: list[dict[str, Any]] = [{} for _ in range(num_robots)]
        self._discarded = [False] * num_robots
        self._marks: list[bool | None] = [None] * num_robots
        self._is_paused = False
        self._ending: str | None = None

    def show(self, **figures: Any) -> None:
        """Change what everyone sees; values must fit into JSON."""
        with self._lock:
            self._shown.update(figures)
        self.on_change()

    def fail(self, problem: str) -> None:
        """Say why the session ends; everyone who looks is told before the server closes."""
        self.show(phase="failed", problem=problem)

    def show_robot(self, robot: int, **figures: Any) -> None:
        """Change what is told of one robot, without a word to anybody: many of these make a step."""
        with self._lock:
            self._robots[robot].update(figures)

    def snapshot(self, robot: int | None) -> dict[str, Any]:
        """Return everything, and of one robot what only its person needs."""
        with self._lock:
            own = {} if robot is None else {**self._robots[robot], "mark": self._marks[robot]}
            return {**self._shown, "paused": self._is_paused, "ending": self._ending, "own": own}

    def press(self, button: Button, robot: int) -> None:
        """Take in a button, pressed by whoever holds a robot."""
        with self._lock:
            if button in ("pause", "resume"):
                self._is_paused = button == "pause"
            elif button == "discard":
                self._discarded[robot] = True
            elif button in ("success", "failure"):
                self._marks[robot] = button == "success"
            elif self._ending != "finish":  # nobody takes that back
                self._ending = button
            self._lock.notify_all()
        self.on_change()

    def finish(self) -> None:
        """End everything, as the button does."""
        self.press("finish", 0)

    def begin_episode(self) -> None:
        """Forget what was pressed about the last one."""
        with self._lock:
            self._discarded = [False] * len(self._discarded)
            self._marks = [None] * len(self._marks)

    def is_discarded(self, robot: int) -> bool:
        """Return whether the person threw this episode of the robot away."""
        with self._lock:
            return self._discarded[robot]

    def mark(self, robot: int) -> bool | None:
        """Return whether the person called this episode of the robot a success, or None."""
        with self._lock:
            return self._marks[robot]

    def is_judged(self, robot: int) -> bool:
        """Return whether the person has said what they think of this episode of the robot, or ends everything."""
        with self._lock:
            is_judged = self._discarded[robot] or self._marks[robot] is not None
            return is_judged or self._ending == "finish"

    @property
    def is_paused(self) -> bool:
        """Whether somebody paused the robots."""
        with self._lock:
            return self._is_paused

    @property
    def ending(self) -> str | None:
        """How the run is to end: ``stop`` after this round, ``finish`` now; None if it is not."""
        with self._lock:
            return self._ending

    def wait(self, seconds: float) -> None:
        """Wait for a button, for some time at most [s]."""
        with self._lock:
            self._lock.wait(seconds)
