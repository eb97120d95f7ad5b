# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Recordings together: which belong to each other, and what is left to learn from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from tensordict import TensorDict

from ..atomic_write import WriteError
from ..intervention import SupervisedRollout
from .episode import RecordedEpisode, RecordingError, RecordingInfo


@contextlib.contextmanager
def exported_as(form: str) -> Iterator[None]:
    """Turns what a format cannot hold, a name with half a character say, into one line.

    Raises:
        RecordingError: The recordings cannot be written. Errors that are one line already are passed on.
    """
    try:
        yield
    except (RecordingError, WriteError):
        raise
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise RecordingError(f"{form} cannot hold these recordings ({reason})") from error


def to_learn_from(episodes: Sequence[RecordedEpisode]) -> list[RecordedEpisode]:
    """Return the episodes that were not discarded.

    Raises:
        RecordingError: There is none, or they are not of one task, one rate and one scale of actions.
    """
    kept = [episode for episode in episodes if not episode.info.discarded]
    if not kept:
        raise RecordingError(f"none of {len(episodes)} recorded episodes is to be learned from")
    for episode in kept:
        _check_alike(episode, kept[0])
    return kept


def _check_alike(episode: RecordedEpisode, first: RecordedEpisode) -> None:
    def refuse(what: str) -> None:
        raise RecordingError(f"recordings do not belong together: {what}")

    for name in ("task", "obs_names", "feature_names"):
        found, wanted = getattr(episode.info, name), getattr(first.info, name)
        if found != wanted:
            refuse(f"{name} is {found} and {wanted}")
    for name in ("obs", "action"):
        found, wanted = (one.transitions[name].shape[1] for one in (episode, first))
        if found != wanted:
            refuse(f"{name} is {found} and {wanted} wide")
    differing = meaning_differs(episode.info, first.info)
    if differing is not None:
        refuse(f"{differing}; take recordings of one kind at a time")


def meaning_differs(one: RecordingInfo, other: RecordingInfo) -> str | None:
    """Return why actions of two recordings may not mean the same, or None where they do."""
    if (one.meaning is None) != (other.meaning is None):
        return "some say how far an action reaches, and others, of an earlier version, do not"
    if one.meaning is not None and other.meaning is not None:
        return ", ".join(one.meaning.differences(other.meaning)) or None
    rates = [None if info.rate_hz is None else round(info.rate_hz, 6) for info in (one, other)]
    if rates[0] != rates[1]:
        shown = ("unknown" if rate is None else f"{rate:g} Hz" for rate in rates)
        return f"their rate is {' and '.join(shown)}"
    return None


def rollout_of(episodes: Sequence[RecordedEpisode], device: torch.device | str = "cpu") -> SupervisedRollout:
    """Put recorded episodes side by side, each as the one episode of a robot; discarded ones are left out.

    Steps whose numbers are not all finite belong to no episode there and are zero: :func:`num_not_finite` counts them.

    Args:
        episodes: The recordings, all of one task.
        device: Where the rollout goes.

    Raises:
        RecordingError: There is nothing to learn from, or the episodes do not belong together.
    """
    kept = to_learn_from(episodes)
    first = kept[0].info
    length = max(len(episode) for episode in kept)

    def side_by_side(columns: list[torch.Tensor], fill: float) -> torch.Tensor:
        padded = [
            torch.cat((column, column.new_full((length - len(column), *column.shape[1:]), fill))) for column in columns
        ]
        return torch.stack(padded, dim=1).to(device)

    def cleaned(episode: RecordedEpisode, column: torch.Tensor) -> torch.Tensor:
        column = column.clone()
        column[~episode.is_finite] = 0
        return column

    transitions = {
        name: side_by_side([cleaned(episode, episode.transitions[name]) for episode in kept], 0)
        for name in kept[0].transitions.keys()  # noqa: SIM118 (a TensorDict iterates over its batch)
    }
    done = [torch.arange(1, len(episode) + 1) == len(episode) for episode in kept]
    same_metrics = all(episode.info.metric_names == first.metric_names for episode in kept)
    same_terms = all(episode.info.reward_names == first.reward_names for episode in kept)
    return SupervisedRollout(
        transitions=TensorDict(transitions, batch_size=[length, len(kept)], device=torch.device(device)),
        robot_action=side_by_side([cleaned(episode, episode.robot_action) for episode in kept], 0),
        in_control=side_by_side([episode.in_control for episode in kept], False),
        done=side_by_side(done, False),
        episode=side_by_side([episode.is_finite.long() - 1 for episode in kept], -1),
        metrics=side_by_side([episode.metrics for episode in kept], 0) if same_metrics else None,
        reward_terms=side_by_side([episode.reward_terms for episode in kept], 0) if same_terms else None,
    )


def until_not_finite(episodes: Sequence[RecordedEpisode]) -> list[RecordedEpisode]:
    """Return the episodes of :func:`to_learn_from`, each cut before its first step with a number that is not finite.

    For formats whose readers take the rows of an episode for consecutive steps. An episode that is cut was no success;
    one without a step is left out.

    Raises:
        RecordingError: Nothing is left, or the episodes do not belong together.
    """
    found = []
    for episode in to_learn_from(episodes):
        length = int(episode.is_finite.long().cumprod(dim=0).sum())
        if length == len(episode):
            found.append(episode)
        elif length > 0:
            found.append(
                RecordedEpisode(
                    info=replace(episode.info, success=None if episode.info.success is None else False),
                    transitions=episode.transitions[:length],
                    robot_action=episode.robot_action[:length],
                    in_control=episode.in_control[:length],
                    metrics=episode.metrics[:length],
                    reward_terms=episode.reward_terms[:length],
                )
            )
    if not found:
        raise RecordingError("no recorded episode begins with a step whose numbers are all finite")
    return found


def num_not_finite(episodes: Sequence[RecordedEpisode]) -> int:
    """Return how many steps of episodes to learn from hold a number that is not finite."""
    return sum(int((~episode.is_finite).sum()) for episode in episodes if not episode.info.discarded)


def notes_on(episodes: Sequence[RecordedEpisode]) -> list[str]:
    """Return what one should know before one learns from recordings: a sentence each, none where all is well."""
    kept = [episode for episode in episodes if not episode.info.discarded]
    notes = []
    dropped = num_not_finite(kept)
    if dropped:
        total = sum(len(episode) for episode in kept)
        notes.append(f"{dropped} of {total} recorded steps hold numbers that are not finite: they are not learned from")
    untold = sum(episode.info.meaning is None for episode in kept)
    if untold:
        notes.append(
            f"{untold} of {len(kept)} recordings are of an earlier version and do not say how far an action reaches:"
            " only their rate is compared"
        )
    if kept and not any(bool((episode.in_control & episode.is_finite).any()) for episode in kept):
        notes.append(f"in none of {len(kept)} recordings does a person intervene")
    return notes
