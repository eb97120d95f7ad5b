# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The outer loop: supervise, judge, learn, and again."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from ..atomic_write import WriteError
from ..intervention import Nobody, SupervisedRollout
from ..irl import RateBound, intervention_rate_bound
from ..methods import FeatureWindow, InnerLoopProgress
from ..networks import GaussianPolicy, TrainedPolicy, check_finite, save_checkpoint
from ..ranks import Ranks
from ..records.outcome import note_outcome
from ..records.run_folder import RunFolder, interrupts_put_off, of_a_run
from ..records.run_listener import RunListener
from ..records.run_record import RunRecord
from ..records.task_spec import TaskSpec
from .build_learner import make_learner
from .evaluation import evaluate
from .follower import check_same_round
from .mereq_cfg import ConfigError, MEReQCfg
from .run_meter import RunMeter
from .save_recordings import save_recordings
from .saved_state import restore
from .supervision import EVALUATION_ROUND, SupervisedRound, Supervision, begin_round
from .timed_env import TimedEnv


class SupervisionRunner:
    """Aligns a prior policy with a person from their interventions, by the method that the settings name.

    Reference:
        - "MEReQ: max-ent residual-Q inverse RL for sample-efficient alignment from intervention." CoRL 2025, PMLR 305.
    """

    person = "synthetic"
    """Who supervises, as reports name them: ``synthetic``, ``live`` or ``recorded``."""

    def __init__(
        self,
        env: TimedEnv,
        spec: TaskSpec,
        prior: TrainedPolicy,
        expert: TrainedPolicy | None,
        cfg: MEReQCfg,
        folder: RunFolder,
        seed: int = 0,
        listeners: Iterable[RunListener] = (),
        ranks: Ranks | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            env: The environment. Its robots learn; the first few of them are supervised.
            spec: Names and true weights of the task; the weights are for reports only.
            prior: The policy to be aligned.
            expert: Stands for the person, and is what the aligned policy is compared with. None where somebody else is
                the person, and the task has no expert.
            cfg: Settings.
            folder: Where the run goes.
            seed: Seed of everything that is drawn.
            listeners: Who follows the run.
            ranks: Processes that learn as one, of which this is the first; see :class:`Follower` for the others.

        Raises:
            TaskError: The task does not keep what it promises.
            ConfigError: Fewer robots than supervised ones, several processes and a method that learns in one, or nobody
                to be the person.
        """
        spec.check(env)
        if expert is None and self.person == "synthetic":
            raise ConfigError("the synthetic person needs an expert policy, and there is none")
        self.env = env
        self.spec = spec
        self.prior = prior
        self.expert = expert
        self.cfg = cfg
        self.folder = folder
        self.seed = seed
        self.listeners = list(listeners)
        self.ranks = ranks or Ranks()
        self.record = RunRecord(
            task=spec.task,
            method=cfg.method,
            person=self.person,
            seed=seed,
            device=str(env.device),
            num_envs=env.num_envs,
            world_size=self.ranks.world_size,
            threshold=cfg.intervention_threshold,
            feature_names=list(spec.feature_names),
            confidence=cfg.confidence,
            theta_star=dict(zip(spec.feature_names, spec.theta_star.tolist(), strict=True)),
            texts=asdict(spec.texts),
        )
        self.supervision = Supervision(env, spec, expert, cfg, self.ranks)
        self.learner = make_learner(cfg, env, prior, spec, seed, self.ranks)
        self._next_round = 0
        # Of the last round, where it was not learned from since the budget was spent: there may be more of that later.
        self._window: FeatureWindow | None = None
        self._meter = RunMeter(env, self.ranks.world_size)

    @property
    def policy(self) -> GaussianPolicy:
        """The policy as aligned so far."""
        return self.learner.policy

    def learn(self) -> RunRecord:
        """Run rounds until the person hardly intervenes or the budget is spent, then evaluate.

        An interruption (Ctrl-C) leaves the last completed round on disk, to resume from.

        Returns:
            What happened.

        Raises:
            KeyboardInterrupt: After the summary is written.
            RunFolderError: Processes that learn as one would go on from different rounds.
        """
        self._meter.start()
        self._completed = copy.deepcopy(self.record)
        try:
            self._write_summary()  # from now on it is a run folder, whatever ends it
            check_same_round(self.ranks, self._next_round, self.env.device)
            self.record.status = self._run_rounds()
            self.ranks.from_first(None)  # the others are done
            note_outcome(self.record, self._num_shown_steps())
            self._evaluate()
        except BaseException as error:
            # The round that was under way does not count: a resumed run does it again from its start.
            self.record = self._completed
            # Ctrl-C, or a request to end (SIGTERM), which scripts turn into an exit.
            was_asked = isinstance(error, KeyboardInterrupt | SystemExit)
            self.record.status = "interrupted" if was_asked else "failed"
            with contextlib.suppress(WriteError):  # the summary of the last completed round stays
                self._write_summary()
            raise
        self._write_summary()
        self._notify("done")
        return self.record

    def _run_rounds(self) -> str:
        """Run rounds until the person is content or the budget is spent, and return which it was."""
        if self._window is not None and not self._is_budget_spent(self._next_round):
            self._learn_from_last_round(self._window)
        while not self.record.converged and not self._is_budget_spent(self._next_round):
            self._run_round(self._next_round)
        return "converged" if self.record.converged else "budget_spent"

    def _is_budget_spent(self, num_rounds: int) -> bool:
        """Return whether that many rounds were the last."""
        most = self.cfg.max_expert_samples
        samples = self.record.expert_samples[-1] if self.record.expert_samples else 0
        return num_rounds >= self.cfg.max_rounds or (most is not None and samples >= most)

    def _run_round(self, index: int) -> None:
        """Supervise, and learn from it unless the person is content or this was the last round."""
        self.ranks.from_first(index)
        self._begin(index)
        shown = self._supervise(index)
        self._note_supervision(shown)
        self.learner.observe(shown.rollout, shown.transitions, shown.episodes_alone)
        self._judge(shown.rollout)
        learns = self.ranks.from_first(self._learns_from(index))
        if learns:
            self._align(shown.window)
        self._next_round = index + 1
        self._window = None if learns or self.record.converged or self.ranks.world_size > 1 else shown.window
        self._save()

    def _learn_from_last_round(self, window: FeatureWindow) -> None:
        """Learn from the round that was the last until there were more to be."""
        self._begin(self._next_round - 1)
        self.supervision.stagger()
        self._align(window)
        self._window = None
        self._save()

    def _supervise(self, index: int) -> SupervisedRound:
        """Let the person watch a round; what they saw is on disk before anything is learned from it."""
        self._notify("supervised rollout")
        shown = self.supervision.run(self.policy, self._round_seed(index))
        save_recordings(self.folder.recordings, shown.rollout, self.spec, self.policy, self.record, index)
        return shown

    def _supervise_elsewhere(self, index: int, episodes: Callable[[], SupervisedRollout]) -> SupervisedRound:
        """Let the policy run alone here, while or after somebody watches it elsewhere.

        Args:
            index: The round.
            episodes: Returns what was watched, when it is there.
        """
        alone = self.supervision.run(self.policy, self._round_seed(index), Nobody())
        watched = episodes()
        transitions = [*alone.transitions, watched.valid_transitions()]
        return replace(alone, rollout=watched, all_watchable=watched, transitions=transitions)

    def _learns_from(self, index: int) -> bool:
        """Return whether there is somebody to see what the policy would learn from a round."""
        return not self.record.converged and not self._is_budget_spent(index + 1)

    def _num_shown_steps(self) -> int:
        """Return in how many steps the person acted so far, those that cannot be used included."""
        return self.record.expert_samples[-1]

    def _round_seed(self, index: int) -> int:
        return 1_000 * self.seed + index

    def _begin(self, index: int) -> None:
        begin_round(self.env, self._round_seed(index))

    def _note_supervision(self, shown: SupervisedRound) -> None:
        """Note what only reports see, and how fast the simulation alone was."""
        record = self.record
        if record.rounds:  # in the first, kernels are loaded or even compiled
            record.raw_sim_time_s += shown.seconds
            record.raw_env_steps += shown.env_steps
        if not record.rounds and self.learner.begins_as_prior:
            record.feature_expectation["prior"] = self._named(shown.window.mean_here())
        record.note_rollout(shown.alone, self._bound(shown.all_watchable, 0.0))

    def _judge(self, rollout: SupervisedRollout) -> None:
        """Note what the person did, and whether they are content."""
        record = self.record
        record.num_takeovers.append(rollout.num_takeovers)
        record.expert_samples.append((record.expert_samples or [0])[-1] + rollout.expert_samples)
        bound = self._bound(rollout, record.intervention_length())
        record.intervention_rate.append(bound.rate)
        record.intervention_rate_upper.append(bound.upper)
        record.converged = bound.upper < self.cfg.intervention_threshold
        self._note_progress()
        record.round_wall_time_s.append(record.wall_time_s)
        self._notify("judged")

    def _bound(self, rollout: SupervisedRollout, intervention_length: float) -> RateBound:
        """Bound the intervention rate from above; interventions are at least as long as the hysteresis makes them."""
        length = max(intervention_length, self.cfg.person.hysteresis.patience_handback)
        return intervention_rate_bound(*rollout.steps_per_episode(), length, self.cfg.confidence)

    def _align(self, window: FeatureWindow) -> None:
        """Fit θ and the policy to what the person has shown so far."""
        record, target = self.record, self.learner.target_features
        before = [parameter.detach().clone() for parameter in self.policy.parameters()]
        if target is not None:
            record.feature_expectation["target"] = self._named(target)

        def on_progress(inner: InnerLoopProgress) -> None:
            self._note_progress()
            self._notify("learning", inner)

        inner = self.learner.align(window, on_progress)
        after = list(self.policy.parameters())
        check_finite(self.policy.state_dict())
        record.rounds_tried += 1
        record.rounds_learned += not all(map(torch.equal, before, after))
        if inner is None:
            return
        record.feature_expectation["learner"] = self._named(inner.learner_features)
        record.gradient_norm.append(inner.gradient_norm)
        if self.learner.theta is not None:
            record.theta_history.append(self._named(self.learner.theta))

    def _evaluate(self) -> None:
        """Compare prior, aligned policy and expert, if any, side by side, exploration included, as trained."""
        self._begin(EVALUATION_ROUND)
        self._notify("evaluation")
        policies = {"prior": self.prior.policy, "aligned": self.policy}
        if self.expert is not None:
            policies["expert"] = self.expert.policy
        generator = torch.Generator(self.env.device).manual_seed(self.seed)
        evaluations = evaluate(self.env, policies, self.spec, self.cfg.evaluation_episodes, generator)
        returns = {name: evaluation.return_expert_reward.mean for name, evaluation in evaluations.items()}
        record = self.record
        record.evaluation = {name: evaluation.as_dict() for name, evaluation in evaluations.items()}
        record.success_rate = evaluations["aligned"].success_rate.mean
        if "expert" in returns and (gap := returns["expert"] - returns["prior"]):
            record.expert_return_gap_closed = (returns["aligned"] - returns["prior"]) / gap
        self._note_progress()

    def _note_progress(self) -> None:
        self._meter.note(self.record)
        self.record.num_rejected = self.learner.num_rejected

    def _notify(self, phase: str, inner: InnerLoopProgress | None = None) -> None:
        for listener in self.listeners:
            listener.update(self.record, phase, inner)

    def _named(self, values: torch.Tensor) -> dict[str, float]:
        return dict(zip(self.spec.feature_names, values.tolist(), strict=True))

    def _write_summary(self) -> None:
        self.folder.write_summary(self.record.as_summary())

    def _save(self) -> None:
        """Write the round to disk: state first, so that summary and policy never promise what cannot be resumed."""
        self._note_progress()
        state = {
            "next_round": self._next_round,
            "learner": self.learner.state_dict(),
            "record": vars(self.record).copy(),
            "window": None if self._window is None else self._window.state_dict(),
        }
        with interrupts_put_off():
            self.folder.write_state(state)
            self._save_policy(self.folder.policy_file)
            self._write_summary()
            self._completed = copy.deepcopy(self.record)

    def _save_policy(self, file: Path) -> None:
        """Write the policy as aligned so far, with what one has to know of it."""
        extra = {"method": self.cfg.method, "seed": self.seed, "round": self._next_round, "theta": self.record.theta}
        info = self.spec.policy_info(self.learner.temperature, extra)
        save_checkpoint(file, self.learner.policy, self.learner.critic, info)

    def resume(self) -> None:
        """Go back to the last completed round of the folder, or to the start where none was completed.

        The policy file is written again: the process may have ended after it wrote the state and before the policy.

        Raises:
            RunFolderError: Its state is damaged.
            ConfigError: The state is of another task, seed or number of robots.
            WriteError: The policy cannot be written.
        """
        self.record, self._next_round, window = restore(self.folder, self.record, self.learner)
        self.record.status = "running"
        with of_a_run(self.folder.state_file):
            if window is not None:
                self._window = FeatureWindow(self.cfg.inner.window, self.supervision.staggered, self.ranks)
                self._window.load_state_dict(window, self.env.device)
            self._meter.go_on_from(self.record)
            if self.folder.has_state:
                self._save_policy(self.folder.policy_file)
