# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the person did, step by step, and where."""

from __future__ import annotations

import torch

from ..intervention import SupervisedRollout


class Corrections:
    """The person's own steps over all rounds: states and the actions that they took there.

    All count alike, however old: what a person does in a state says what they wish, whichever policy led there.
    """

    def __init__(self) -> None:
        """Start without any."""
        self._steps: dict[str, torch.Tensor] = {}

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self._steps["obs"]) if self._steps else 0

    @property
    def obs(self) -> torch.Tensor:
        """What the policy would have seen. Shape: (num_steps, num_obs)."""
        return self._steps["obs"]

    @property
    def action(self) -> torch.Tensor:
        """What the person did [-1, 1]. Shape: (num_steps, num_actions)."""
        return self._steps["action"]

    def add_round(self, rollout: SupervisedRollout) -> None:
        """Take in the person's segments of a supervised rollout, but steps with a number that is not finite."""
        persons = rollout.valid_transitions()[rollout.in_control[rollout.valid]]
        persons = persons[torch.isfinite(torch.cat((persons["obs"], persons["action"]), dim=1)).all(dim=1)]
        for name in ("obs", "action"):
            steps = persons[name]
            self._steps[name] = torch.cat((self._steps[name], steps)) if name in self._steps else steps

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return everything gathered so far."""
        return dict(self._steps)

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._steps = dict(state)
