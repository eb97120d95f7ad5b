# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What is seen in one frame: panes, who acts, how it ended, and the trace."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mereq_lab.film import HEIGHT, WIDTH, FramePainter, PaneView, pane_size
from mereq_lab.film.frame import HEADER, MARGIN, NAME
from mereq_lab.film.frame import TRACE as TRACE_HEIGHT

from .film_stage import STEP_DT, TRACE


def pane(shade: int = 128, **changes) -> PaneView:
    width, height = pane_size(2)
    values = {
        "picture": np.full((height, width, 3), shade, np.uint8),
        "trace": torch.linspace(0.0, 1.0, 5),
        "in_control": torch.zeros(5, dtype=torch.bool),
        "num_takeovers": None,
        "success": None,
    }
    return PaneView(**{**values, **changes})


def test_every_pane_is_where_it_belongs_and_nothing_is_painted_over_it():
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
    frame = painter.paint([pane(40), pane(200)], "note")
    assert frame.shape == (HEIGHT, WIDTH, 3)
    width, height = pane_size(2)
    for shade in (40, 200):
        assert (frame == shade).all(axis=2).sum() == width * height


def test_the_person_is_seen_while_they_act():
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
    acting = torch.tensor([False, False, True, True, True])
    orange = (230, 126, 0)

    def num_orange(**changes) -> int:
        return int((painter.paint([pane(**changes), pane()], "") == orange).all(axis=2).sum())

    assert num_orange(num_takeovers=0) == 0
    assert num_orange(num_takeovers=1, in_control=acting) > 2 * sum(pane_size(2)), "a frame around the pane"
    assert num_orange(in_control=acting) == 0, "where nobody supervises, nobody is drawn"


def test_success_and_failure_are_told_apart():
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
    frames = [painter.paint([pane(success=success), pane()], "") for success in (None, True, False)]
    assert not (frames[0] == frames[1]).all() and not (frames[1] == frames[2]).all()


CURVE, SHADE = (0, 92, 175), (209, 236, 224)


def plot_rows(frame: np.ndarray, step: float, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows of a colour in the first pane's plot, at a step of 10, as values of the trace."""
    tolerance = 90 if colour == CURVE else 12  # a thin line is blended with what is around it
    width, height = pane_size(2)
    left, right, top, bottom = 40, 10, 32, 12  # room around the plot within its strip
    x = round(MARGIN + left + (width - left - right) * step / 9)
    strip = frame[HEADER + NAME + height : HEIGHT - MARGIN, x].astype(int)
    rows = np.flatnonzero(np.abs(strip - colour).max(axis=1) < tolerance)
    return 1.0 - (rows - top) / (TRACE_HEIGHT - top - bottom)


def test_the_trace_is_drawn_to_scale_with_what_the_person_likes_shaded():
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
    values = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9])
    frame = painter.paint([pane(trace=values, in_control=torch.zeros(7, dtype=torch.bool)), pane()], "")
    shaded = plot_rows(frame, 8.5, SHADE)
    assert shaded.min() == pytest.approx(0.2, abs=0.03) and shaded.max() == pytest.approx(0.6, abs=0.03)
    for step, value in ((1.5, 0.1), (4.5, 0.9)):
        assert plot_rows(frame, step, CURVE).mean() == pytest.approx(value, abs=0.04)


def test_where_the_figure_has_no_value_there_is_a_gap():
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
    values = torch.tensor([0.5, 0.5, torch.nan, torch.nan, 0.5, 0.5, 0.5])
    frame = painter.paint([pane(trace=values, in_control=torch.zeros(7, dtype=torch.bool)), pane()], "")
    drawn = {step: len(plot_rows(frame, step, CURVE)) > 0 for step in (0.5, 1.5, 2.5, 3.5, 4.5, 5.5)}
    assert drawn == {0.5: True, 1.5: False, 2.5: False, 3.5: False, 4.5: True, 5.5: True}


def test_a_long_name_makes_room_for_the_outcome():
    name = "2026-11-23_17-38-20_of_a_run_whose_name_is_far_too_long_for_a_pane"
    painter = FramePainter(("Title", "What is asked."), [name, "two"], TRACE, 10, STEP_DT)
    without = FramePainter(("Title", "What is asked."), ["", "two"], TRACE, 10, STEP_DT)
    views = [pane(success=True), pane()]
    width, _ = pane_size(2)
    line = np.s_[HEADER : HEADER + NAME, MARGIN + width - 120 : MARGIN + width]
    assert (painter.paint(views, "")[line] == without.paint(views, "")[line]).all()


def test_a_trace_beyond_the_axis_is_drawn_at_its_end():
    painter = FramePainter(("Title", "What is asked."), ["one", "two"], TRACE, 10, STEP_DT)
    high, higher = (painter.paint([pane(trace=torch.full((5,), value)), pane()], "") for value in (1.0, 50.0))
    assert (high == higher).all()
