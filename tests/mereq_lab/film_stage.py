# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What stands in for a simulator's pictures: the state of an analytic task as the width of a bar."""

from __future__ import annotations

import torch
from tensordict import TensorDict

from mereq_lab.film import FilmedEpisode, Trace, pane_size

from ..mereq_algo.supervised_env import SupervisedLinearEnv

TRACE = Trace("push", "N", preferred=(0.2, 0.6), limits=(0.0, 1.0))
STEP_DT = 0.05


class BarStage:
    """Draws the state of each robot as the width of a bar."""

    def __init__(self, env: SupervisedLinearEnv, num_panes: int) -> None:
        self.env = env
        self.width, self.height = pane_size(num_panes)

    def snapshot(self) -> TensorDict:
        state = self.env.state.clone()
        return TensorDict({"state": state, "trace": state.abs()}, batch_size=[self.env.num_envs])

    def between(self, first: TensorDict, second: TensorDict, share: float) -> TensorDict:
        return first + (second - first) * share

    def show(self, snapshot: TensorDict) -> torch.Tensor:
        share = (snapshot["state"].flatten() + 1.0) / 2.0
        columns = torch.arange(self.width) < share.unsqueeze(1) * self.width
        return (255 * columns).to(torch.uint8)[:, None, :, None].expand(-1, self.height, -1, 3)


def episode(num_steps: int, success: bool = True, in_control: list[int] | None = None) -> FilmedEpisode:
    state = torch.linspace(-0.9, 0.9, num_steps)
    acted = torch.zeros(num_steps, dtype=torch.bool)
    acted[in_control or []] = True
    return FilmedEpisode(TensorDict({"state": state, "trace": state.abs()}, batch_size=[num_steps]), acted, success)
