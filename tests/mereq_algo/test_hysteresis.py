# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The latch between disagreeing and intervening."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mereq_algo.intervention import Hysteresis, HysteresisCfg


def _build(num_robots: int = 1, **overrides) -> Hysteresis:
    cfg = {"takeover_threshold": 1.0, "handback_threshold": 0.5, "patience_takeover": 2, "patience_handback": 3}
    return Hysteresis(num_robots, HysteresisCfg(**(cfg | overrides)))


def _run(hysteresis: Hysteresis, sequence: list[float]) -> list[int]:
    return [int(hysteresis.update(torch.tensor([value]))) for value in sequence]


def test_counts_equal_those_made_by_hand():
    # fmt: off
    disagreement = [2, 0, 2, 2, 0, 0, 2, 0, 0, 0, 0, 2, 2]
    # disagree:     1  -  1  2! -  -  -  -  -  -  -  1  2!     (2 in a row: the person takes over)
    # agree:        -  -  -  -  1  2  0  1  2  3! -  -  -      (3 in a row: the robot is given back)
    in_control   = [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1]
    # fmt: on
    assert _run(_build(), disagreement) == in_control


def test_between_the_thresholds_nothing_changes():
    hysteresis = _build()
    assert _run(hysteresis, [0.7] * 20) == [0] * 20
    _run(hysteresis, [2.0, 2.0])
    assert _run(hysteresis, [0.7] * 20) == [1] * 20


def test_noise_around_a_threshold_does_not_chatter():
    # Alternating above and below the high threshold: never twice in a row.
    assert sum(_run(_build(), [1.1, 0.9] * 50)) == 0
    # Alternating around the low one: never three times in a row, so one intervention without an end.
    assert _run(_build(), [2.0, 2.0] + [0.4, 0.6] * 50) == [0] + [1] * 101


@settings(deadline=None)
@given(
    sequence=st.lists(st.floats(0, 2), min_size=1, max_size=60),
    patience_takeover=st.integers(1, 5),
    patience_handback=st.integers(1, 5),
)
def test_every_block_is_at_least_as_long_as_its_patience(sequence, patience_takeover, patience_handback):
    flags = _run(_build(patience_takeover=patience_takeover, patience_handback=patience_handback), sequence)
    changes = [i for i in range(1, len(flags)) if flags[i] != flags[i - 1]]
    for start, stop in itertools.pairwise(changes):
        assert stop - start >= (patience_handback if flags[start] else patience_takeover)


def test_one_robot_and_a_thousand_are_treated_alike():
    sequences = 2.0 * torch.rand(80, 1_000, generator=torch.Generator().manual_seed(0))
    resets = torch.rand(80, 1_000, generator=torch.Generator().manual_seed(1)) < 0.02
    together = _build(1_000)
    alone = [_build() for _ in range(20)]
    changes = 0
    for disagreement, done in zip(sequences, resets, strict=True):
        before = together.in_control
        flags = together.update(disagreement)
        changes += int((flags != before).sum())
        together.reset(done)
        for robot, hysteresis in enumerate(alone):
            assert bool(hysteresis.update(disagreement[robot : robot + 1])) == bool(flags[robot])
            hysteresis.reset(done[robot : robot + 1])
    assert changes > 1_000


def test_reset_gives_back_only_the_robots_that_are_done():
    hysteresis = _build(2)
    for _ in range(2):
        hysteresis.update(torch.tensor([2.0, 2.0]))
    hysteresis.reset(torch.tensor([1, 0]))
    assert hysteresis.in_control.tolist() == [False, True]
    # The streak is forgotten too: one more step of disagreement is the first of two.
    assert hysteresis.update(torch.tensor([2.0, 2.0])).tolist() == [False, True]
    assert hysteresis.update(torch.tensor([2.0, 2.0])).tolist() == [True, True]


def test_disagreement_that_is_not_a_number_changes_nothing():
    assert sum(_run(_build(), [float("nan")] * 10)) == 0
    assert _run(_build(), [2.0, 2.0] + [float("nan")] * 10) == [0] + [1] * 11


def test_small_disagreement_adds_up():
    # fmt: off
    disagreement = [.6, .1, .6, .6, .6, .6, .6, .6, .6, .1, .1, .1, .1, .1]
    # beyond 0.2:   .4  .3  .7 1.1 1.5 1.9 2.3!                             (more than 2: the person takes over)
    # agree:        -   -   -   -   -   -   -   0   0   1   2   3!  -   -   (3 in a row: the robot is given back)
    in_control   = [0,  0,  0,  0,  0,  0,  1,  1,  1,  1,  1,  0,  0,  0]
    # fmt: on
    assert _run(_build(cusum_reference=0.2, cusum_limit=2.0), disagreement) == in_control
    assert sum(_run(_build(), disagreement)) == 0


def test_what_adds_up_is_forgotten_below_the_reference_and_never_more_than_the_threshold_a_step():
    hysteresis = _build(cusum_reference=0.2, cusum_limit=2.0)
    assert sum(_run(hysteresis, [0.3, 0.1] * 100)) == 0
    # Of 50 no more than 1 counts: 0.8 beyond the reference, three of which are needed.
    assert _run(hysteresis, [50.0, 0.2, 50.0, 0.2, 50.0]) == [0, 0, 0, 0, 1]


def test_agreement_that_is_up_to_the_reference_in_no_mean_gives_nothing_back():
    hysteresis = _build(cusum_reference=0.2, cusum_limit=2.0)
    _run(hysteresis, [2.0, 2.0])
    assert _run(hysteresis, [0.4, 0.3, 0.1] * 5) == [1] * 15
    # 0.2 in the mean of three, counted from the last that were too much.
    assert _run(hysteresis, [0.4, 0.1, 0.1]) == [1, 1, 0]


def test_reset_forgets_what_has_added_up():
    hysteresis = _build(2, cusum_reference=0.0, cusum_limit=1.0)
    hysteresis.update(torch.tensor([0.8, 0.8]))
    hysteresis.reset(torch.tensor([1, 0]))
    assert hysteresis.update(torch.tensor([0.8, 0.8])).tolist() == [False, True]


def test_without_a_number_nothing_adds_up():
    hysteresis = _build(cusum_reference=0.2, cusum_limit=2.0)
    assert sum(_run(hysteresis, [0.9, float("nan")] * 2)) == 0
    assert _run(hysteresis, [0.9]) == [1]  # 1.4 beyond the reference before, 2.1 now


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="handback_threshold"):
        HysteresisCfg(takeover_threshold=0.5, handback_threshold=1.0)
    with pytest.raises(ValueError, match="patience"):
        HysteresisCfg(takeover_threshold=1.0, handback_threshold=0.5, patience_takeover=0)
    for name, value in (("cusum_reference", -0.1), ("cusum_limit", 0.0), ("cusum_limit", float("nan"))):
        with pytest.raises(ValueError, match="cusum"):
            HysteresisCfg(takeover_threshold=1.0, handback_threshold=0.5, **{name: value})
