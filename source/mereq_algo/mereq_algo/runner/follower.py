# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The processes beside the first: more robots, and nobody who watches them."""

from __future__ import annotations

import torch

from ..intervention import Nobody
from ..networks import TrainedPolicy
from ..ranks import Ranks
from ..records.run_folder import RunFolder, RunFolderError, of_a_run
from ..records.task_spec import TaskSpec
from .build_learner import make_learner
from .mereq_cfg import MEReQCfg
from .supervision import Supervision, begin_round
from .timed_env import TimedEnv


class Follower:
    """Runs the policy of each round on robots of its own, and learns in step with the first rank.

    What the person has shown, and when to stop, comes from :class:`SupervisionRunner` on rank 0.
    """

    def __init__(
        self,
        env: TimedEnv,
        spec: TaskSpec,
        prior: TrainedPolicy,
        cfg: MEReQCfg,
        seed: int,
        ranks: Ranks,
    ) -> None:
        """Put the parts together.

        Args:
            env: The environment: as many robots as on rank 0.
            spec: Names of the task.
            prior: The policy to be aligned.
            cfg: Settings of the run.
            seed: Seed of the run; what is drawn here differs from what other ranks draw.
            ranks: Which rank this is.

        Raises:
            ConfigError: Fewer robots than supervised ones, or a method that learns in one process.
        """
        spec.check(env)
        self._env, self._seed, self._ranks = env, seed, ranks
        self._supervision = Supervision(env, spec, None, cfg, ranks)
        self.learner = make_learner(cfg, env, prior, spec, seed, ranks)

    def follow(self, folder: RunFolder, resume: bool = False) -> None:
        """Go along until rank 0 has run its last round.

        Args:
            folder: Folder of the run, where the state of this rank goes, too.
            resume: Whether to go on from that state.

        Raises:
            RunFolderError: There is no state to go on from, or it is of another round than that of rank 0.
        """
        next_round = 0
        if resume and folder.has_state:  # else the run begins anew
            state = folder.read_state(self._ranks.rank)
            with of_a_run(folder.state_file_of(self._ranks.rank)):
                next_round = int(state.get("next_round", UNKNOWN))
                self.learner.load_state_dict(state["learner"])
        check_same_round(self._ranks, next_round, self._env.device)
        while (index := self._ranks.from_first()) is not None:
            seed = 1_000 * self._seed + index + 1_000_003 * self._ranks.rank
            begin_round(self._env, seed)
            shown = self._supervision.run(self.learner.policy, seed, Nobody())
            self.learner.observe(None, shown.transitions, shown.episodes_alone)
            if self._ranks.from_first():
                self.learner.align(shown.window, lambda progress: None)
            state = {"next_round": index + 1, "learner": self.learner.state_dict()}
            folder.write_state(state, self._ranks.rank)


UNKNOWN = -1
"""Round of a state that does not tell it, as those of earlier versions."""


def check_same_round(ranks: Ranks, next_round: int, device: torch.device | str) -> None:
    """Refuse processes that would go on from different rounds: one of them was killed before it wrote its state.

    All ranks have to ask, and all of them get the same answer.

    Args:
        ranks: Processes that learn as one.
        next_round: Round that this process goes on with.
        device: Where this process computes.

    Raises:
        RunFolderError: The rounds differ.
    """
    if ranks.world_size == 1:
        return
    mine = torch.zeros(ranks.world_size, dtype=torch.long, device=device)
    mine[ranks.rank] = next_round
    rounds = ranks.sum(mine).tolist()
    if len(set(rounds)) > 1 or UNKNOWN in rounds:
        told = ", ".join("unknown" if number == UNKNOWN else str(number + 1) for number in rounds)
        raise RunFolderError(
            f"processes would go on from different rounds ({told}): one ended before it had written its state; start a"
            " new run from this run's policy, --prior and its folder"
        )
