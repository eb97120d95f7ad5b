# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Films policies side by side: episodes in the same initial states, frames with a trace, and a streaming encoder."""

from .encoder import FilmError, VideoEncoder, check_encoder, write_webp
from .episode import FilmedEpisode, Stage, film_episodes
from .film import FRAMES_PER_S, FilmFiles, make_film, num_frames
from .frame import HEIGHT, WIDTH, FramePainter, PaneView, Trace, pane_size

__all__ = [
    "FRAMES_PER_S",
    "HEIGHT",
    "WIDTH",
    "FilmError",
    "FilmFiles",
    "FilmedEpisode",
    "FramePainter",
    "PaneView",
    "Stage",
    "Trace",
    "VideoEncoder",
    "check_encoder",
    "film_episodes",
    "make_film",
    "num_frames",
    "pane_size",
    "write_webp",
]
