# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One frame of a film: panes side by side, each with its name, its picture and a trace of the figure to watch."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1280, 720
"""Size of a frame [px]."""

HEADER, NAME, TRACE, MARGIN = 60, 40, 136, 8
"""Heights of the lines at the top, of the line with the name of a pane and of its trace, and space around [px]."""

PAPER, INK, FAINT = (250, 250, 252), (28, 30, 36), (120, 124, 132)
PREFERRED, PERSON = (209, 236, 224), (230, 126, 0)
CURVE, GOOD, BAD = (0, 92, 175), (0, 128, 83), (196, 58, 28)
"""Colours. The person's orange and the curve's blue differ for all kinds of colour vision."""


@dataclass(frozen=True)
class Trace:
    """The figure to watch, and how it is drawn."""

    label: str
    """What it is."""

    unit: str
    """Its unit."""

    preferred: tuple[float, float]
    """What the person likes it to be; shaded."""

    limits: tuple[float, float]
    """Ends of the axis."""


@dataclass
class PaneView:
    """What a pane shows in one frame."""

    picture: np.ndarray
    """Shape: (height, width, 3), dtype: uint8; see :func:`pane_size`"""

    trace: torch.Tensor
    """The figure to watch up to now. Shape: (num_steps_so_far,)"""

    in_control: torch.Tensor
    """Whether the person acted, up to now. Shape: (num_steps_so_far,)"""

    num_takeovers: int | None
    """How often the person has taken over; None where nobody supervises."""

    success: bool | None
    """How the episode ended; None before its end."""


def pane_size(num_panes: int) -> tuple[int, int]:
    """Return width and height of the picture in a pane [px]."""
    return (WIDTH - MARGIN * (num_panes + 1)) // num_panes, HEIGHT - HEADER - NAME - TRACE - MARGIN


@functools.cache
def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    # The font that matplotlib brings, so that a frame looks the same on every machine.
    found = font_manager.findfont(
        font_manager.FontProperties(weight="bold" if bold else "normal", family="DejaVu Sans")
    )
    return ImageFont.truetype(found, size)


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """Return as much of a text as fits [px], with dots where something is left out."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


class FramePainter:
    """Paints frames of one film."""

    def __init__(
        self, title: tuple[str, str], names: Sequence[str], trace: Trace, episode_steps: int, step_dt: float
    ) -> None:
        """Paint what stays the same.

        Args:
            title: Two lines at the top: the task's name, and what it asks for.
            names: Of the panes.
            trace: The figure to watch.
            episode_steps: Steps of the longest episode, the length of the time axis.
            step_dt: Time of a step [s].
        """
        self._names = list(names)
        self._trace = trace
        self._episode_steps = episode_steps
        self._step_dt = step_dt
        self._width, self._height = pane_size(len(names))
        self._empty = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
        draw = ImageDraw.Draw(self._empty)
        draw.text((MARGIN + 4, 20), title[0], INK, _font(24, bold=True), anchor="lm")
        draw.text((MARGIN + 4, 46), title[1], FAINT, _font(17), anchor="lm")
        self._axis = self._paint_axis()

    def paint(self, panes: Sequence[PaneView], note: str) -> np.ndarray:
        """Paint a frame.

        Args:
            panes: What each of them shows.
            note: Stands at the right of the title, such as the time.

        Returns:
            Shape: (720, 1280, 3), dtype: uint8
        """
        frame = self._empty.copy()
        draw = ImageDraw.Draw(frame)
        draw.text((WIDTH - MARGIN - 4, 20), note, FAINT, _font(20), anchor="rm")
        for index, (name, pane) in enumerate(zip(self._names, panes, strict=True)):
            left = MARGIN + index * (self._width + MARGIN)
            self._paint_pane(frame, draw, left, name, pane)
        return np.asarray(frame)

    def _paint_pane(self, frame: Image.Image, draw: ImageDraw.ImageDraw, left: int, name: str, pane: PaneView) -> None:
        top, right = HEADER + NAME, left + self._width
        person_acts = pane.num_takeovers is not None and len(pane.in_control) > 0 and bool(pane.in_control[-1])
        taken = self._paint_state(draw, right, pane, person_acts)
        font = _font(22, bold=True)
        name = _shortened(name, font, self._width - 20 - taken)
        draw.text((left + 6, HEADER + NAME // 2), name, INK, font, anchor="lm")
        frame.paste(Image.fromarray(pane.picture), (left, top))
        if person_acts:
            draw.rectangle((left, top, right - 1, top + self._height - 1), outline=PERSON, width=6)
        frame.paste(self._paint_trace(pane), (left, top + self._height))

    def _paint_state(self, draw: ImageDraw.ImageDraw, right: int, pane: PaneView, person_acts: bool) -> int:
        """Write at the right of the name how it ended, or who acts. Returns the width of it [px]."""
        if pane.success is not None:
            text, colour = ("✓ success", GOOD) if pane.success else ("✗ not done", BAD)
            font = _font(20, bold=True)
        elif pane.num_takeovers is not None:
            times = f"{pane.num_takeovers} takeover{'' if pane.num_takeovers == 1 else 's'}"
            text, colour = (f"person acts · {times}", PERSON) if person_acts else (f"robot acts · {times}", FAINT)
            font = _font(16, bold=person_acts)
        else:
            return 0
        draw.text((right - 6, HEADER + NAME // 2), text, colour, font, anchor="rm")
        return round(draw.textlength(text, font)) + 12

    # The plot's corner within the trace's strip, and what stays free at its right and at its bottom [px].
    _PLOT_LEFT, _PLOT_TOP, _PLOT_RIGHT, _PLOT_BOTTOM = 40, 32, 10, 12

    def _x(self, step: float) -> float:
        width = self._width - self._PLOT_LEFT - self._PLOT_RIGHT
        return self._PLOT_LEFT + width * step / max(self._episode_steps - 1, 1)

    def _y(self, value: float) -> float:
        low, high = self._trace.limits
        height = TRACE - self._PLOT_TOP - self._PLOT_BOTTOM
        return self._PLOT_TOP + height * (1.0 - (min(max(value, low), high) - low) / (high - low))

    def _paint_axis(self) -> Image.Image:
        strip = Image.new("RGB", (self._width, TRACE), PAPER)
        draw = ImageDraw.Draw(strip)
        low, high = self._trace.preferred
        draw.rectangle((self._x(0), self._y(high), self._x(self._episode_steps - 1), self._y(low)), fill=PREFERRED)
        written: list[float] = []
        for value in (*self._trace.limits, high, low):
            y = self._y(value)
            if all(abs(y - other) >= 14 for other in written):
                draw.text((self._PLOT_LEFT - 6, y), f"{value:g}", FAINT, _font(14), anchor="rm")
                written.append(y)
        for value in self._trace.limits:
            draw.line((self._x(0), self._y(value), self._x(self._episode_steps - 1), self._y(value)), (214, 216, 222))
        label = f"{self._trace.label} [{self._trace.unit}]"
        draw.text((6, 12), label, INK, _font(16), anchor="lm")
        legend = "as the person likes it"
        left = self._width - self._PLOT_RIGHT - draw.textlength(legend, _font(14))
        if left - 24 > draw.textlength(label, _font(16)) + 12:
            draw.rectangle((left - 20, 6, left - 6, 18), fill=PREFERRED)
            draw.text((left, 12), legend, FAINT, _font(14), anchor="lm")
        return strip

    def _paint_trace(self, pane: PaneView) -> Image.Image:
        strip = self._axis.copy()
        if len(pane.trace) < 2:
            return strip
        scale = 3  # lines are drawn large and made small: PIL's own are jagged
        large = strip.resize((scale * strip.width, scale * strip.height), Image.Resampling.NEAREST)
        draw = ImageDraw.Draw(large)
        values, acted = pane.trace.tolist(), pane.in_control.tolist()
        points = [
            None if math.isnan(value) else (scale * self._x(i), scale * self._y(value))
            for i, value in enumerate(values)
        ]
        for i, (first, second) in enumerate(itertools.pairwise(points), start=1):
            if first is None or second is None:  # a gap: there the figure has no value
                continue
            colour = PERSON if pane.num_takeovers is not None and acted[i] else CURVE
            draw.line((first, second), colour, width=2 * scale)
        if points[-1] is not None:
            x, y = points[-1]
            draw.ellipse((x - 4 * scale, y - 4 * scale, x + 4 * scale, y + 4 * scale), fill=INK)
        smooth = large.resize(strip.size, Image.Resampling.LANCZOS)
        # Type that went through the resizing would be blurred: keep the left edge and the line of the label.
        smooth.paste(strip.crop((0, 0, self._PLOT_LEFT - 5, strip.height)), (0, 0))
        smooth.paste(strip.crop((0, 0, strip.width, self._PLOT_TOP - 9)), (0, 0))
        return smooth
