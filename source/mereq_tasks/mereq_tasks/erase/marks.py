# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The marks on the board and how their ink comes off: the state that this task adds to the physics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import CommandTerm, CommandTermCfg, SceneEntityCfg
from isaaclab.utils import configclass

from .. import mdp


class Marks(CommandTerm):
    """A pen stroke of inked marks on the board, drawn anew in every episode.

    A mark is *touched* once the eraser has rested on it in contact. Its *ink* comes off while the felt covers it and
    the normal force, as the contact sensor measured it, is beyond a threshold: a light touch removes nothing, however
    long. From there on the rate grows in proportion to the force, as in Archard's law of wear, up to a full rate. (Wear
    also grows with sliding distance. That is left out: the question is how hard to press, not how fast to rub.)

    The state is brought up to date once a step, by whoever reads it first (a reward, a feature, an observation).
    """

    cfg: MarksCfg
    _env: ManagerBasedRLEnv

    def __init__(self, cfg: MarksCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        cfg.tool_cfg.resolve(env.scene)
        shape = (self.num_envs, cfg.num_marks)
        self._position = torch.zeros(*shape, 2, device=self.device)
        self._ink = torch.ones(shape, device=self.device)
        self._touched = torch.zeros(shape, dtype=torch.bool, device=self.device)
        self._ink_removed = torch.zeros(self.num_envs, device=self.device)
        self._newly_touched = torch.zeros(self.num_envs, device=self.device)
        self._normal_force = torch.zeros(self.num_envs, device=self.device)
        self._half_footprint = torch.tensor(cfg.footprint, device=self.device) / 2
        self._steps = torch.zeros(self.num_envs, device=self.device)
        self._steps_over_limit = torch.zeros(self.num_envs, device=self.device)
        self._updated_at = 0
        self.metrics = {
            name: torch.zeros(self.num_envs, device=self.device)
            for name in ("ink_removed", "over_force_limit", "success")
        }

    @property
    def position(self) -> torch.Tensor:
        """Marks in the environment's frame [m]. Shape: (num_envs, num_marks, 2)."""
        return self._position

    @property
    def ink(self) -> torch.Tensor:
        """Ink left on each mark, from 1 (fresh) to 0 (gone). Shape: (num_envs, num_marks)."""
        self.refresh()
        return self._ink

    @property
    def touched(self) -> torch.Tensor:
        """Whether the eraser has touched the mark in this episode. Shape: (num_envs, num_marks)."""
        self.refresh()
        return self._touched

    @property
    def ink_removed(self) -> torch.Tensor:
        """Share of all ink that came off in the last step. Shape: (num_envs,)."""
        self.refresh()
        return self._ink_removed

    @property
    def newly_touched(self) -> torch.Tensor:
        """Number of marks touched for the first time in the last step. Shape: (num_envs,)."""
        self.refresh()
        return self._newly_touched

    @property
    def normal_force(self) -> torch.Tensor:
        """Force of the board on the felt along the board's normal, mean over the step [N]. Shape: (num_envs,)."""
        self.refresh()
        return self._normal_force

    @property
    def command(self) -> torch.Tensor:
        """Where the marks are. Shape: (num_envs, 2 * num_marks)."""
        return self._position.flatten(1)

    def tool_position(self) -> torch.Tensor:
        """Returns the centre of the felt in the environment's frame [m]. Shape: (num_envs, 3)."""
        return mdp.tool_position(self._env, self.cfg.tool_cfg, self.cfg.tool_offset)

    def refresh(self) -> None:
        """Brings touches, ink and metrics up to date; only the first call in a step does anything."""
        if self._updated_at == self._env.common_step_counter:
            return
        self._updated_at = self._env.common_step_counter
        # The mean over the physics steps of one action, as a force reading filtered to the policy's rate.
        forces = self._env.scene[self.cfg.sensor_name].data.net_forces_w_history.torch[:, :, 0, 2]
        self._normal_force = forces.mean(dim=1).clamp(min=0.0)

        covered = self._covered_marks()
        touching = covered & (self._normal_force > self.cfg.touch_force).unsqueeze(1)
        newly_touched = touching & ~self._touched
        self._newly_touched = newly_touched.sum(dim=1).float()
        self._touched |= touching

        pressing = (self._normal_force - self.cfg.erase_force) / (self.cfg.full_erase_force - self.cfg.erase_force)
        wear = self.cfg.wear_rate * self._env.step_dt * pressing.clamp(0.0, 1.0)
        ink = self._ink - wear.unsqueeze(1) * covered
        ink = torch.where(ink < self.cfg.clean_ink, 0.0, ink)
        self._ink_removed = (self._ink - ink).mean(dim=1)
        self._ink = ink

        self._steps += 1
        self._steps_over_limit += self._normal_force > self.cfg.force_limit
        self.metrics["ink_removed"] = 1.0 - self._ink.mean(dim=1)
        self.metrics["over_force_limit"] = self._steps_over_limit / self._steps
        self.metrics["success"] = (
            (self.metrics["ink_removed"] >= self.cfg.success_ink_removed)
            & (self.metrics["over_force_limit"] <= self.cfg.success_over_force_limit)
        ).float()

    def _covered_marks(self) -> torch.Tensor:
        offset = (self._position - self.tool_position()[:, None, :2]).abs()
        return (offset <= self._half_footprint).all(dim=2)

    def _update_metrics(self) -> None:
        self.refresh()

    def _update_command(self) -> None:
        pass

    def _resample_command(self, env_ids: Sequence[int] | slice) -> None:
        """Draws a bent stroke at a random place and heading; a part of it may have been touched before."""
        env_ids = torch.arange(self.num_envs, device=self.device)[env_ids]
        cfg, count = self.cfg, len(env_ids)

        def uniform(low: float, high: float) -> torch.Tensor:
            return torch.empty(count, 1, device=self.device).uniform_(low, high)

        along = torch.linspace(-0.5, 0.5, cfg.num_marks, device=self.device) * uniform(*cfg.stroke_length)
        heading, curvature = uniform(*cfg.stroke_heading), uniform(*cfg.stroke_curvature)
        across = 0.5 * curvature * along**2
        x = uniform(*cfg.centre_x) + along * heading.cos() - across * heading.sin()
        y = uniform(*cfg.centre_y) + along * heading.sin() + across * heading.cos()
        self._position[env_ids] = torch.stack((x, y), dim=2)
        self._ink[env_ids] = 1.0

        # The person may take over after the robot has touched a part of the stroke; the expert has to know such states.
        rank = torch.arange(cfg.num_marks, device=self.device)
        is_begun = uniform(0, 1) < cfg.touched_before
        share = torch.where(is_begun, uniform(0, 1), 0.0)
        self._touched[env_ids] = rank < share * (cfg.num_marks + 1)

        for state in (self._ink_removed, self._newly_touched, self._normal_force, self._steps, self._steps_over_limit):
            state[env_ids] = 0.0


@configclass
class MarksCfg(CommandTermCfg):
    """Configuration of :class:`Marks`. Lengths in metres, forces in newtons, positions in the environment's frame."""

    class_type: type[Marks] = Marks
    resampling_time_range: tuple[float, float] = (1e9, 1e9)  # only at a reset

    tool_cfg: SceneEntityCfg = MISSING
    """Robot and the body that carries the felt."""

    tool_offset: tuple[float, float, float] = MISSING
    """Centre of the felt in the body's frame [m]."""

    sensor_name: str = MISSING
    """Contact sensor on the eraser, with a history as long as one action."""

    footprint: tuple[float, float] = MISSING
    """Size of the felt along x and y [m]."""

    num_marks: int = 12
    """Number of marks on the stroke."""

    centre_x: tuple[float, float] = (0.47, 0.53)
    """Range of the middle of the stroke along x [m]."""

    centre_y: tuple[float, float] = (-0.1, 0.1)
    """Range of the middle of the stroke along y [m]."""

    stroke_length: tuple[float, float] = (0.14, 0.22)
    """Range of the length of the stroke [m]."""

    stroke_heading: tuple[float, float] = (0.0, 3.1416)
    """Range of the direction of the stroke [rad]."""

    stroke_curvature: tuple[float, float] = (-5.0, 5.0)
    """Range of the curvature of the stroke [1/m]."""

    touched_before: float = 0.3
    """Share of the episodes in which a part of the stroke counts as touched from the start."""

    touch_force: float = 0.3
    """Normal force that counts as a touch [N]; above the noise of a force reading at rest."""

    erase_force: float = 5.0
    """Normal force below which no ink comes off [N]. Ours: a few newtons, as of a hand on a whiteboard eraser."""

    full_erase_force: float = 8.0
    """Normal force from which ink comes off at the full rate [N]; it rises linearly from ``erase_force``. Ours."""

    wear_rate: float = 4.0
    """Share of a mark's ink that comes off in a second at the full rate [1/s]. Ours: a mark is clean in 0.25 s, about
    the time that the felt takes to pass over it."""

    clean_ink: float = 0.01
    """Ink on a mark that counts as none, as a share of a fresh mark's. Ours: less than an eye can see."""

    force_limit: float = 15.0
    """Normal force that the person does not want exceeded [N]."""

    success_ink_removed: float = 0.95
    """Share of the ink that has to be gone."""

    success_over_force_limit: float = 0.02
    """Share of the time that may be spent over the force limit."""
