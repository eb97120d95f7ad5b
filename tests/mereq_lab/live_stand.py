# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Points that move as they are told, a page around them, and people at it: live supervision without a simulator."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict
from websockets.sync.client import ClientConnection, connect

from mereq_algo.networks import GaussianPolicy, PolicyCfg
from mereq_algo.recording import RecordedEpisode, RecordingInfo
from mereq_algo.records import TaskSpec
from mereq_lab.live import ActionLayout, LivePerson, LiveServer, LiveSession, Panel, RealtimeEnv, RoundOrder, Seats

SPEC = TaskSpec("Point", ("position",), ("x", "y", "z"), ("success",), theta_star=torch.zeros(3))
INFO = RecordingInfo("Point", "", "", ("position",), ("x", "y", "z"), ("success",), step_s=0.05)
STEP = 0.05
"""How far an action of 1 moves a point [m], and how long it takes [s]."""

PROPOSED = 0.6
"""What the policy does along x."""


class PointEnv(VecEnv):
    """Points in space; an action moves them. Episodes end by time."""

    def __init__(self, num_envs: int = 1, max_episode_length: int = 20) -> None:
        self.num_envs, self.num_actions, self.max_episode_length = num_envs, 3, max_episode_length
        self.device, self.cfg = "cpu", {}
        self.lengths = torch.full((num_envs,), max_episode_length)
        """Of each robot's episodes."""
        self.log: list[tuple[float, torch.Tensor]] = []
        """When each step began, and the actions."""
        self.reset()

    def reset(self) -> tuple:
        self.position = torch.zeros(self.num_envs, 3)
        self.episode_length_buf = torch.zeros(self.num_envs, dtype=torch.long)
        return self.get_observations(), {}

    def get_observations(self) -> TensorDict:
        position = self.position.clone()
        groups = {"policy": position, "features": position, "metrics": (position[:, :1] > 0.3).float()}
        return TensorDict(groups, batch_size=[self.num_envs])

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict]:
        self.log.append((time.monotonic(), actions.clone()))
        self.position = self.position + STEP * actions
        self.episode_length_buf = self.episode_length_buf + 1
        dones = self.episode_length_buf >= self.lengths.clamp(max=self.max_episode_length)
        extras: dict[str, Any] = {"time_outs": dones.clone(), "final_obs": dict(self.get_observations())}
        self.position = torch.where(dones.unsqueeze(1), 0.0, self.position)
        self.episode_length_buf = torch.where(dones, 0, self.episode_length_buf)
        return self.get_observations(), torch.zeros(self.num_envs), dones.long(), extras


def policy() -> GaussianPolicy:
    """Moves along x, hardly ever otherwise."""
    made = GaussianPolicy(3, 3, PolicyCfg(hidden_dims=(), min_log_std=-8.0, max_log_std=1.0, init_std=4e-4))
    with torch.no_grad():
        made.mlp[0].weight.zero_()
        made.mlp[0].bias[:3] = torch.atanh(torch.tensor([PROPOSED, 0.0, 0.0]))
    return made.eval()


class Stand:
    """All of it, with the session in a thread."""

    def __init__(
        self,
        folder: Path,
        num_robots: int = 1,
        max_episode_length: int = 20,
        serve: bool = True,
        views: list[int] | None = None,
    ) -> None:
        self.points = PointEnv(num_robots, max_episode_length)
        self.env = RealtimeEnv(self.points, STEP)
        self.seats, self.panel = Seats(num_robots), Panel(num_robots)
        self.person = LivePerson(self.seats, ActionLayout(), max_episode_length)
        self.folder = folder
        figures = lambda: [{"trace": float(x)} for x in self.points.position[:, 0]]  # noqa: E731
        self.session = LiveSession(self.env, self.person, self.seats, self.panel, folder, INFO, figures)
        self.session.judging_s = 0.0
        trace = {"label": "x", "unit": "m", "limits": [0.0, 1.0], "preferred": [0.2, 0.4]}
        task = {"task": "Point", "goal": "Go.", "wish": "", "turns": False, "grips": False, "trace": trace}
        self.server = LiveServer(self.seats, self.panel, task, port=0, views=views)
        self.kept: list[tuple[Path, RecordedEpisode]] | None = None
        self._thread: threading.Thread | None = None
        if serve:
            self.server.start()

    def begin(self, episodes: int = 2, most: int | None = None, threshold: float = 0.0, index: int = 0) -> None:
        """Start a round."""
        order = RoundOrder(index, 0, episodes, most or episodes, threshold)

        def run() -> None:
            self.kept = self.session.run_round(policy(), order)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def end(self, timeout: float = 20.0) -> list[tuple[Path, RecordedEpisode]]:
        """Wait for the round's end, and return what it kept."""
        assert self._thread is not None
        self._thread.join(timeout)
        assert self.kept is not None, "the round is not over"
        return self.kept

    def close(self) -> None:
        self.panel.finish()
        if self._thread is not None:
            self._thread.join(10.0)
        self.server.close()


class Client:
    """A person's browser, reduced to its socket."""

    def __init__(self, url: str, person: str = "Ada", key: str | None = None, robot: int | None = 0) -> None:
        self.socket: ClientConnection = connect(url.replace("http", "ws") + "control", proxy=None)
        self.state: dict[str, Any] = {}
        self.answers: list[dict[str, Any]] = []
        self.say(type="hello", person=person, key=key or person)
        if robot is not None:
            self.say(type="seat", robot=robot)
            self.listen(until=lambda: self.state.get("robot") == robot or self.refusals)

    @property
    def refusals(self) -> list[str]:
        return [answer["text"] for answer in self.answers if answer["type"] == "refused"]

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def control(self, engaged: bool = True, axes: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)) -> None:
        self.say(type="control", engaged=engaged, axes=list(axes))

    def listen(self, until, timeout: float = 5.0) -> None:
        """Take in what the server says until something holds."""
        end = time.monotonic() + timeout
        while not until():
            left = end - time.monotonic()
            assert left > 0.0, f"waited in vain: {self.state}, {self.answers}"
            try:
                message = json.loads(self.socket.recv(timeout=left))
            except TimeoutError:
                continue
            if message["type"] == "state":
                self.state = message
            else:
                self.answers.append(message)

    def hold(self, seconds: float, engaged: bool = True, axes: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)) -> None:
        """Say the same thirty times a second, as the page does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.control(engaged, axes)
            time.sleep(0.033)

    def watch(self, seconds: float) -> None:
        """Be there, and do nothing."""
        self.hold(seconds, engaged=False)

    def close(self) -> None:
        self.socket.close()
